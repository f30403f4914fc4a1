"""The newspaper, whose outside world is a mailbox and a database: what people see is the gathering issue."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from services.publisher.channels.newspaper.contents import contents
from services.publisher.channels.newspaper.issues import Issues
from services.publisher.channels.newspaper.settings import NewspaperSection
from shared.mongo import Mongo
from tests.services.publisher.stands.interface import ChannelStand

EDITOR = "redaktsiya@gazeta.example"


def section_for(**fields: object) -> NewspaperSection:
    """Settings in which only a test's own clock makes anything due."""
    given: dict[str, object] = {
        "editors": (EDITOR,),
        "secret": SecretStr("a secret of the tests alone"),
        "look_every": 3600,
    }
    return NewspaperSection.model_validate(given | fields)


class Stand(ChannelStand):
    """One newspaper."""

    kind = "announcement"
    content: ClassVar[dict[str, Any]] = {}

    async def open(self) -> Sequence[BaseSettings]:
        self._section = section_for()
        self._mongo = Mongo(self.settings.mongo_url.get_secret_value(), "publisher")
        return [self._section]

    async def close(self) -> None:
        self._mongo.close()

    async def shown(self) -> Sequence[str]:
        issues = await Issues(self._mongo.database, self._section).every()
        return [
            "\n".join((piece.title, *(block.text for block in piece.blocks)))
            for issue in issues
            if issue.open
            for piece in contents(issue)
        ]
