"""YouTube as a channel."""

import asyncio

import httpx

from services.publisher.channels.facts import hour
from services.publisher.channels.interface import Call, Channel, Posted, Surroundings
from services.publisher.channels.youtube.broadcasts import Broadcasts
from services.publisher.channels.youtube.client import Api
from services.publisher.channels.youtube.metadata import LARGEST, LONGEST, UNVERIFIED, Metadata, metadata_of
from services.publisher.channels.youtube.processing import Watch
from services.publisher.channels.youtube.quota import Quota, QuotaSpent
from services.publisher.channels.youtube.records import Records
from services.publisher.channels.youtube.refusals import NotFound
from services.publisher.channels.youtube.settings import YoutubeSection
from services.publisher.channels.youtube.tokens import Tokens
from services.publisher.channels.youtube.videos import Videos
from shared.bus import Permanent
from shared.preview import Piece, Preview
from shared.publication import Broadcast, MediaFile, Publication, Video

_NOT_FOR_IT = "YouTube приймає лише відеосюжети та прямі ефіри в мережі."
_GONE = "YouTube не знайшов того, що мало бути змінене."


class YoutubeChannel(Channel):
    """Uploads a publication's video, or announces its broadcast.

    Repeatable: of each publication it keeps the upload's session, whose status tells exactly what came of
    it, or that a broadcast was about to be announced, which is then looked up by the id in its description.
    A crash between the opening of a session and its being kept leaves an empty one, which nobody ever sees.
    """

    name = "youtube"
    repeatable = True
    deadline = 1200.0
    concurrency = 4
    after = ("site",)

    def __init__(self, surroundings: Surroundings, section: YoutubeSection) -> None:
        self._surroundings = surroundings
        self._section = section
        self._http = httpx.AsyncClient(timeout=section.timeout)
        self._quota = Quota(surroundings.database, section)
        api = Api(self._http, section, Tokens(self._http, section), self._quota)
        self._records = Records(surroundings.database)
        self._videos = Videos(api, self._records, section, surroundings)
        self._broadcasts = Broadcasts(api, self._records, section, surroundings)
        self.watch = Watch(api, self._records, section, surroundings, self.name)
        self._watching: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """See that the token is good and the account has a channel; begin to follow what is processed."""
        await self._records.prepare()
        try:
            await self._videos.look_up_playlist()
        except QuotaSpent:
            # Each message says so to its receipt, which an unprepared channel would not.
            pass
        except NotFound as error:
            raise Permanent(_GONE) from error
        if self._watching is None:
            self._watching = asyncio.create_task(self.watch.run())

    async def close(self) -> None:
        """Stop following; what is awaited is kept."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self._http.aclose()

    def takes(self, publication: Publication) -> str | None:
        """Videos with a file, and broadcasts on the internet that aren't cancelled."""
        content = publication.content
        if isinstance(content, Broadcast):
            if content.broadcast.medium != "online":
                return "На YouTube анонсують лише ефіри в мережі, не на телебаченні чи радіо."
            return "Ефір скасовано." if content.broadcast.state == "cancelled" else None
        if not isinstance(content, Video):
            return _NOT_FOR_IT
        return _refusal_of(publication.videos[0]) if publication.videos else "Публікація не має відеофайла."

    def preview(self, publication: Publication) -> Preview:
        """Title, description and tags; the link to the site is added once the page is there."""
        metadata = self._metadata(publication, link=None)
        content = publication.content
        problems = metadata.problems(publication)
        if len(publication.videos) > 1:
            problems.append("Відеофайлів кілька: на YouTube потрапить лише перший.")
        file = publication.videos[0] if publication.videos else None
        if file is not None and file.duration is not None and file.duration > UNVERIFIED:
            problems.append("Відео довше за 15 хвилин: канал має бути підтверджений номером телефону.")
        head = [f"Прямий ефір {hour(content.broadcast.airs_at)}"] if isinstance(content, Broadcast) else []
        tags = [f"Мітки: {', '.join(metadata.tags)}"] if metadata.tags else []
        text = "\n\n".join([*head, metadata.title, metadata.description, *tags])
        photo = publication.photos[0] if publication.photos else None
        piece = Piece(
            text=text,
            images=(f"Обкладинка: {photo.alt}",) if photo is not None else (),
            video=None if file is None else file.name or "відео",
        )
        return Preview(channel=self.name, pieces=(piece,), problems=tuple(problems))

    async def publish(self, publication: Publication, call: Call) -> Posted:
        """Upload it, or go on with an upload; announce it; bring back what was hidden."""
        return await self._show(publication, None, call)

    async def update(self, publication: Publication, posted: Posted, call: Call) -> Posted:
        """New words and hour; another file is another video, and the former one is hidden."""
        return await self._show(publication, posted, call)

    async def withdraw(
        self,
        publication: Publication,
        posted: Posted | None,
        call: Call,  # noqa: ARG002  # the record knows more than a call remembers
    ) -> Posted | None:
        """Videos become private, announcements are deleted; nothing is left to see."""
        try:
            await self._videos.withdraw(publication.id, posted)
            await self._broadcasts.withdraw(publication.id, posted)
        except NotFound as error:
            raise Permanent(_GONE) from error
        return None

    async def find(self, publication: Publication) -> Posted | None:
        """Never asked: every call may be repeated."""
        raise NotImplementedError(f"YouTube is repeatable, and was asked for {publication.id}")

    async def _show(self, publication: Publication, posted: Posted | None, call: Call) -> Posted:
        page = await self._surroundings.posted(publication.id, "site")
        metadata = self._metadata(publication, link=None if page is None else page.url)
        content = publication.content
        try:
            if isinstance(content, Broadcast):
                return await self._broadcasts.show(publication, content.broadcast, metadata, posted=posted)
            return await self._videos.show(publication, metadata, call, posted=posted)
        except NotFound as error:
            raise Permanent(_GONE) from error

    def _metadata(self, publication: Publication, link: str | None) -> Metadata:
        return metadata_of(publication, link=link, tags=self._section.tags.split(","))


def _refusal_of(file: MediaFile) -> str | None:
    if file.size > LARGEST:
        return "Відео більше за 256 ГБ: YouTube такого не приймає."
    if file.duration is not None and file.duration > LONGEST:
        return "Відео довше за 12 годин: YouTube такого не приймає."
    return None


def open_channel(surroundings: Surroundings) -> YoutubeChannel:
    """The account that the settings name."""
    return YoutubeChannel(surroundings, surroundings.section(YoutubeSection))
