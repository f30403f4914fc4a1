"""Facebook as a channel."""

import asyncio
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from services.publisher.channels.facebook.client import Graph
from services.publisher.channels.facebook.message import Draft, alike, draft_of, names, problems_of, same
from services.publisher.channels.facebook.photos import Photos
from services.publisher.channels.facebook.processing import Watch
from services.publisher.channels.facebook.records import Record, Records
from services.publisher.channels.facebook.refusals import Aim, Duplicate, Gone, WrongParameter
from services.publisher.channels.facebook.remote import Remote, posted_of
from services.publisher.channels.facebook.settings import FacebookSection
from services.publisher.channels.facebook.timeline import Post, Timeline
from services.publisher.channels.facebook.upload import Uploader
from services.publisher.channels.interface import Call, Channel, Halted, Posted, Surroundings, Unconfirmed
from shared.bus import Later, Permanent
from shared.events import now
from shared.preview import Piece, Preview
from shared.publication import Publication

READS = Aim(permission="pages_read_engagement")
POSTS = Aim(permission="pages_manage_posts", shows=True)
REMOVES = Aim(permission="pages_manage_posts", shows=True, urgent=True)
CLOCKS_APART = timedelta(minutes=10)
"""How far Facebook's clock and ours may differ when posts since an hour are asked for."""
MADE_WITHIN = timedelta(days=1)
"""How long after it was first tried a post was made at the latest."""
VIDEO_LISTING = timedelta(minutes=15)
"""Added to the delay of listings for videos, whose posts are listed only when they are processed."""
_NO_PAGE = "Сторінки з номером FACEBOOK_PAGE_ID немає, або маркер не від неї."
_CHECK_BOTH = "Перевірте FACEBOOK_PAGE_ID і FACEBOOK_PAGE_TOKEN."
_UNLIKE = "Світлини й відео опублікованого допису Facebook замінити не дає: вони лишилися попередні."


class Made(BaseModel):
    """What Facebook answers once it has made or changed something."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    permalink_url: str | None = None


class FacebookChannel(Channel):
    """Posts of one page.

    Not repeatable: the API has no idempotency key, and has answered with errors while posting
    (https://github.com/arsduo/koala/issues/699). What is about to be sent is kept before, and looked for
    among the page's posts where nobody knows whether it was made.
    """

    name = "facebook"
    repeatable = False
    deadline = 1500.0
    concurrency = 4
    after = ("site",)

    def __init__(self, surroundings: Surroundings, section: FacebookSection) -> None:
        self._surroundings = surroundings
        self._section = section
        self._graph = Graph(section)
        self._records = Records(surroundings.database)
        self._timeline = Timeline(self._graph, section.page_id)
        self._photos = Photos(self._graph, surroundings.media, section.page_id)
        self._uploader = (
            Uploader(self._graph, surroundings.media, section.app_id, section.slice)
            if section.app_id is not None
            else None
        )

        self.watch = Watch(self._graph, self._records, surroundings, self.name, section.look_every)
        self._watching: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """See that the page is there and the token good for it; begin to follow videos."""
        await self._records.prepare()
        try:
            await self._graph.get(self._section.page_id, {"fields": "id,name,link"}, READS)
        except Gone as error:
            raise Halted(_NO_PAGE, remedy=_CHECK_BOTH) from error
        if self._watching is None and self._uploader is not None:
            self._watching = asyncio.create_task(self.watch.run())

    async def close(self) -> None:
        """Stop following videos, and close the connections."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self._graph.close()

    def takes(self, publication: Publication) -> str | None:  # noqa: ARG002  # a page takes whatever has a title
        """Everything."""
        return None

    def preview(self, publication: Publication) -> Preview:
        """The post without the line that leads to the site, whose address isn't known before."""
        draft = self._draft(publication, None)
        video = None if draft.video is None else draft.video.name or "відео"
        piece = Piece(
            text=draft.message, images=tuple(photo.alt or "" for photo in draft.photos), video=video
        )
        problems = problems_of(
            publication, draft, longest=self._section.length, uploads=self._uploader is not None
        )
        return Preview(channel=self.name, pieces=(piece,), problems=tuple(problems))

    async def publish(self, publication: Publication, call: Call) -> Posted:
        """Upload what is shown with it, which nobody sees yet, and post it."""
        page = await self._surroundings.posted(publication.id, "site")
        draft = self._draft(publication, None if page is None else page.url)
        if draft.video is not None and self._uploader is not None:
            form = {
                "title": draft.title,
                "description": draft.message,
                "fbuploader_video_file_chunk": await self._uploader.handle_of(draft.video, call),
                "fields": "id,permalink_url",
            }
            edge = "videos"
        else:
            form = {"message": draft.message, "fields": "id,permalink_url"}
            edge = "feed"
            if draft.photos:
                form["attached_media"] = await self._photos.attached(draft.photos, call)
            elif draft.address is not None:
                form["link"] = draft.address
        record = Record(
            message=draft.message,
            address=draft.address,
            media=draft.media,
            video=draft.video is not None,
            sent_at=now(),
        )
        made = await self._post(publication, edge, form, record, call)
        look_at = now() + timedelta(seconds=self._section.look_every) if record.video else None
        await self._records.change(publication.id, post=made.id, look_at=look_at)
        return posted_of(record, made.id, made.permalink_url, video=record.video, awaiting=record.video)

    async def update(
        self,
        publication: Publication,
        posted: Posted,
        call: Call,  # noqa: ARG002  # an edit is one step
    ) -> Posted:
        """Change the text; photographs, videos and the link's preview stay as they were."""
        remote = Remote.model_validate(posted.remote)
        page = await self._surroundings.posted(publication.id, "site")
        draft = self._draft(publication, None if page is None else page.url)
        form = (
            {"name": draft.title, "description": draft.message}
            if remote.video
            else {"message": draft.message}
        )
        try:
            await self._graph.post(remote.post, form, POSTS)
        except Gone as error:
            raise Permanent("Допису вже немає у Facebook: його видалили там, і виправити нічого.") from error
        note = _UNLIKE if draft.media != remote.media else None
        return posted.model_copy(update={"note": note})

    async def withdraw(
        self,
        publication: Publication,
        posted: Posted | None,
        call: Call,  # noqa: ARG002  # a deletion is one step
    ) -> Posted | None:
        """Delete it. What is gone already is gone only if the page doesn't list it either."""
        if posted is not None:
            remote = Remote.model_validate(posted.remote)
            try:
                await self._graph.delete(remote.post, REMOVES)
            except Gone as error:
                at = remote.at or publication.released_at or publication.submitted_at
                listed = await self._timeline.since(at - CLOCKS_APART, at + MADE_WITHIN)
                if any(remote.post in (post.id, post.video) for post in listed):
                    raise Later("Facebook не знаходить допису, але ще показує його.") from error
        await self._records.forget(publication.id)
        return None

    async def find(self, publication: Publication) -> Posted | None:
        """Look among the page's posts, again until they surely list whatever was made."""
        record = await self._records.get(publication.id)
        if record is None:
            return None
        known = await self._known(record)
        if known is not None:
            return known
        listed = await self._timeline.since(record.sent_at - CLOCKS_APART)
        free = await self._nobody_elses(publication, listed)
        post = _the_one(record, free)
        if post is not None:
            id = post.video if record.video and post.video is not None else post.id
            await self._records.change(publication.id, post=id)
            return posted_of(record, id, post.permalink_url, video=id == post.video)
        wait = (self._listed_by(record) - now()).total_seconds()
        if wait > 0:
            raise Later("Перевіряємо, чи з’явився допис у Facebook.", after=wait, counted=False)
        if record.duplicate or any(alike(post.message, record.message) for post in free):
            raise Unconfirmed("Схожий допис на сторінці вже є, але невідомо, чи це він: перевірте самі.")
        await self._records.forget(publication.id)
        return None

    async def _post(
        self, publication: Publication, edge: str, form: dict[str, str], record: Record, call: Call
    ) -> Made:
        async def about_to_be_sent() -> None:
            await self._records.begin(publication.id, record.model_copy(update={"sent_at": now()}))

        try:
            answer = await self._graph.post(
                f"{self._section.page_id}/{edge}", form, POSTS, before=about_to_be_sent
            )
            return Made.model_validate(answer)
        except Unconfirmed as error:
            doubt = {"doubted_at": now(), "duplicate": isinstance(error, Duplicate)}
            await self._records.change(publication.id, **doubt)
            raise
        except Gone as error:
            await self._records.forget(publication.id)
            raise Halted(_NO_PAGE, remedy=_CHECK_BOTH) from error
        except WrongParameter as error:
            await self._records.forget(publication.id)
            kept = self._photos if edge == "feed" else self._uploader
            if kept is not None and await kept.stale(call):
                raise Later("Facebook уже не має завантаженого: завантажимо ще раз.") from error
            raise
        except (Later, Permanent):
            await self._records.forget(publication.id)
            raise

    async def _known(self, record: Record) -> Posted | None:
        """The post whose id Facebook told, though the ledger hasn't heard of it, if it is still there."""
        if record.post is None:
            return None
        try:
            answer = await self._graph.get(record.post, {"fields": "id,permalink_url"}, READS)
        except Gone:
            return None
        made = Made.model_validate(answer)
        return posted_of(record, made.id, made.permalink_url, video=record.video, awaiting=record.video)

    async def _nobody_elses(self, publication: Publication, listed: list[Post]) -> list[Post]:
        ids = [id for post in listed for id in (post.id, post.video) if id is not None]
        taken = await self._records.others(publication.id, ids)
        return [post for post in listed if post.id not in taken and post.video not in taken]

    def _listed_by(self, record: Record) -> datetime:
        """When the page surely lists what was made, if anything was."""
        ended = record.doubted_at or record.sent_at + timedelta(seconds=self._section.timeout)
        delay = timedelta(seconds=self._section.listing_delay)
        return ended + delay + (VIDEO_LISTING if record.video else timedelta())

    def _draft(self, publication: Publication, address: str | None) -> Draft:
        return draft_of(
            publication, address, longest=self._section.length, uploads=self._uploader is not None
        )


def _the_one(record: Record, posts: list[Post]) -> Post | None:
    """The post that was made of it; where it has no address of its own, the one with the very same text."""
    for post in posts:
        if record.address is not None and names(post.message, record.address):
            return post
        if record.address is None and same(post.message, record.message):
            return post
    return None


def open_channel(surroundings: Surroundings) -> FacebookChannel:
    """The page that the settings name."""
    return FacebookChannel(surroundings, surroundings.section(FacebookSection))
