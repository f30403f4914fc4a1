"""What the channels would show of a publication that is only tried."""

from collections.abc import Mapping

from services.publisher.channels.interface import Channel
from shared.preview import PREVIEWS, Preview
from shared.publication import Publication

_OFF = "Цей канал вимкнено."
_OWN_TARGETS = ("mail", "advance")


class Previews:
    """Asks the channels that are on. No channel does anything for it."""

    def __init__(self, channels: Mapping[str, Channel]) -> None:
        self._channels = channels

    async def reply(self, question: bytes) -> bytes:
        """The previews of the publication that `question` is, as JSON."""
        publication = Publication.model_validate_json(question)
        names = [target for target in publication.targets if target not in _OWN_TARGETS]
        return PREVIEWS.dump_json(tuple(self.preview(name, publication) for name in names))

    def preview(self, name: str, publication: Publication) -> Preview:
        """One channel's."""
        channel = self._channels.get(name)
        refusal = _OFF if channel is None else channel.takes(publication)
        if channel is None or refusal is not None:
            return Preview(channel=name, refusal=refusal)
        return channel.preview(publication)
