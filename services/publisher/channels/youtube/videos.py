"""Videos: uploaded once, described by the newest revision, made private when withdrawn.

Private and not deleted: the recording of a sitting has to be kept for five years (law 3590-IX), a withdrawal
may turn out wrong, and a deleted video's address and views never come back.
"""

from datetime import timedelta
from uuid import UUID

from pydantic import JsonValue

from services.publisher.channels.interface import Call, Posted, Surroundings, Unconfirmed
from services.publisher.channels.youtube.client import Api
from services.publisher.channels.youtube.metadata import Metadata, fitting_tags, marker_of
from services.publisher.channels.youtube.pictures import Pictures
from services.publisher.channels.youtube.processing import PROCESSING, privacy_note, verdict_of
from services.publisher.channels.youtube.records import Record, Records
from services.publisher.channels.youtube.resources import Part, Video
from services.publisher.channels.youtube.settings import YoutubeSection
from services.publisher.channels.youtube.upload import SessionGone, Uploader
from shared.bus import Later, Permanent
from shared.events import now
from shared.media import MediaMissing
from shared.publication import MediaFile, Publication

_PAGES = 10
_CLOCKS = timedelta(hours=1)
"""By how much YouTube's clock and ours may differ."""
_SNIPPET = ("title", "description", "tags", "categoryId", "defaultLanguage", "defaultAudioLanguage")
_STATUS = (
    "privacyStatus",
    "publishAt",
    "license",
    "embeddable",
    "publicStatsViewable",
    "selfDeclaredMadeForKids",
    "containsSyntheticMedia",
)
"""What `videos.update` replaces: what isn't sent back is lost. https://developers.google.com/youtube/v3/docs/videos/update"""
_NOT_LISTED_YET = "Невідомо, чи YouTube отримав відео: чекаємо, поки воно з’явиться у списку завантажених."
_REMOVED = "Відео на YouTube видалено поза системою: вирішіть, чи надсилати його знову."


class Videos:
    """The channel's part for publications with a video."""

    def __init__(
        self, api: Api, records: Records, section: YoutubeSection, surroundings: Surroundings
    ) -> None:
        self._api = api
        self._records = records
        self._section = section
        self._media = surroundings.media
        self._uploader = Uploader(api, surroundings.media, section)
        self._pictures = Pictures(api, surroundings.media)
        self._playlist: str | None = None

    async def look_up_playlist(self) -> None:
        """Ask for the account's channel: proves the token, and learns where its uploads are listed."""
        self._playlist = await self._api.uploads_playlist()

    async def show(
        self, publication: Publication, metadata: Metadata, call: Call, *, posted: Posted | None
    ) -> Posted:
        """Have it up with these words. `posted` is None where it may be down, and is to be made public."""
        file = publication.videos[0]
        record = await self._adopted(publication, file, posted)
        if record.video is not None:
            video = (await self._api.videos([record.video])).get(record.video)
            if video is None:
                raise Permanent(_REMOVED)
            video = await self._described(publication, video, metadata, public=posted is None)
            return await self._finished(publication, record, video)
        await self._pictures.wait_for(publication)
        video = await self._uploaded(publication, file, record, metadata, call)
        record = await self._records.change(publication.id, video=video.id, session=None, last_sent_at=None)
        try:
            if record.revision != publication.revision:
                # The session was begun with the words of an earlier revision.
                video = await self._described(publication, video, metadata, public=False)
            return await self._finished(publication, record, video)
        except Later as error:
            # A `Later` says that nothing took effect, and by now there is a video.
            raise Unconfirmed(str(error)) from error

    async def withdraw(self, id: UUID, posted: Posted | None) -> None:
        """Make private whatever there is of a publication."""
        record = await self._records.get(id)
        await self._records.change(id, awaiting=False, refusal=None)
        found = await self._come_of_session(id, record)
        ids = {*record.former, record.video, found, posted and posted.remote.get("video")}
        for video in sorted(each for each in ids if isinstance(each, str)):
            await self._hide(video)
        if record.session is not None:
            await self._records.change(id, session=None, last_sent_at=None, video=record.video or found)

    async def _adopted(self, publication: Publication, file: MediaFile, posted: Posted | None) -> Record:
        """The record as it should be before this file is shown: another file's video put aside."""
        record = await self._records.get(publication.id)
        known = posted.remote.get("video") if posted is not None else None
        if record.video is None and record.session is None and isinstance(known, str):
            # A person settled a call in doubt, or the record is lost.
            record = await self._records.change(
                publication.id, video=known, sha256=file.sha256, size=file.size
            )
        if record.sha256 in (None, file.sha256):
            return record
        old = record.video or await self._come_of_session(publication.id, record)
        former = (*record.former, old) if old is not None else record.former
        return await self._records.change(
            publication.id, sha256=file.sha256, former=former, video=None, session=None, last_sent_at=None
        )

    async def _uploaded(
        self, publication: Publication, file: MediaFile, record: Record, metadata: Metadata, call: Call
    ) -> Video:
        async def before_last() -> None:
            # The ledger refuses this to a process whose lease has passed to another.
            await call.remember(all_sent_at=now().isoformat())
            await self._records.change(publication.id, last_sent_at=now())

        if record.session is not None:
            try:
                return await self._uploader.go_on(record.session, file, before_last)
            except SessionGone:
                record = await self._records.get(publication.id)
                id = await self._listed(publication.id, record)
                if id is not None and (video := (await self._api.videos([id])).get(id)) is not None:
                    return video
        if not await self._media.has(file.sha256):
            raise MediaMissing("Файл відео ще готується.", after=5)
        session = await self._api.begin_upload(
            self._parts(publication, metadata), size=file.size, media_type=file.media_type
        )
        await self._records.change(
            publication.id,
            session=session,
            sha256=file.sha256,
            size=file.size,
            revision=publication.revision,
            begun_at=now(),
            last_sent_at=None,
        )
        try:
            return await self._uploader.go_on(session, file, before_last)
        except SessionGone as error:
            # The next call finds out whether a video came of it.
            raise Unconfirmed("YouTube закрив завантаження, щойно почате.") from error

    def _parts(self, publication: Publication, metadata: Metadata) -> dict[str, Part]:
        language = str(publication.content.language)
        return {
            "snippet": {
                "title": metadata.title,
                "description": metadata.description,
                "tags": list(metadata.tags),
                "categoryId": self._section.category,
                "defaultLanguage": language,
                "defaultAudioLanguage": language,
            },
            "status": {
                "privacyStatus": self._section.privacy,
                "embeddable": True,
                "selfDeclaredMadeForKids": False,
            },
        }

    async def _finished(self, publication: Publication, record: Record, video: Video) -> Posted:
        """Everything that follows once the video is there and described."""
        for former in record.former:
            await self._hide(former)
        problem = await self._pictures.set(
            publication, video.id, record.thumbnail, lambda key: self._keep(publication.id, key)
        )
        verdict = verdict_of(video)
        posted = Posted(remote={"video": video.id}, url=f"{self._section.watch_url}{video.id}")
        if verdict.pending or verdict.refusal is not None:
            await self._records.change(
                publication.id,
                awaiting=True,
                awaiting_since=now(),
                look_at=now() + timedelta(seconds=self._section.look_every),
                looks=0,
                refusal=verdict.refusal,
            )
            return posted.model_copy(update={"awaiting": verdict.refusal or PROCESSING})
        await self._records.change(publication.id, awaiting=False, refusal=None)
        notes = [note for note in (privacy_note(video, self._section.privacy), problem) if note]
        return posted.model_copy(update={"note": " ".join(notes) or None})

    async def _keep(self, id: UUID, thumbnail: str) -> None:
        await self._records.change(id, thumbnail=thumbnail)

    async def _described(
        self, publication: Publication, video: Video, metadata: Metadata, *, public: bool
    ) -> Video:
        """Change title, description and tags; everything else stays as it is, whoever set it."""
        before: Part = {"tags": [], **_mutable(video.snippet, _SNIPPET)}
        ours = self._parts(publication, metadata)["snippet"]
        theirs = before["tags"] if isinstance(before["tags"], list) else []
        tags: list[JsonValue] = list(fitting_tags([*metadata.tags, *map(str, theirs)]))
        snippet = before | ours | {"tags": tags, "categoryId": before.get("categoryId", ours["categoryId"])}
        parts = {} if snippet == before else {"snippet": snippet}
        if public and video.says("status", "privacyStatus") != self._section.privacy:
            parts["status"] = _mutable(video.status, _STATUS) | {"privacyStatus": self._section.privacy}
        if not parts:
            return video
        updated = await self._api.update_video(video.id, parts)
        return video.model_copy(
            update={"snippet": updated.snippet or video.snippet, "status": {**video.status, **updated.status}}
        )

    async def _hide(self, id: str) -> None:
        video = (await self._api.videos([id], urgent=True)).get(id)
        if video is None or video.says("status", "privacyStatus") == "private":
            return
        status = _mutable(video.status, _STATUS) | {"privacyStatus": "private"}
        status.pop("publishAt", None)
        await self._api.update_video(id, {"status": status}, urgent=True)

    async def _come_of_session(self, id: UUID, record: Record) -> str | None:
        """The video that came of an upload begun and not recorded as complete; None if certainly none did."""
        if record.session is None:
            return None
        try:
            video = await self._uploader.outcome(record.session, record.size)
        except SessionGone:
            return await self._listed(id, record)
        return None if video is None else video.id

    async def _listed(self, id: UUID, record: Record) -> str | None:
        """The video among all uploads, where its session can't be asked any more.

        The list may be behind: only after a while what isn't in it certainly isn't there.
        Raises `Unconfirmed`.
        """
        if record.last_sent_at is None or record.begun_at is None:
            return None
        if self._playlist is None:
            await self.look_up_playlist()
        assert self._playlist is not None  # noqa: S101  # for the type checker
        page: str | None = None
        for _ in range(_PAGES):
            listed = await self._api.uploads(self._playlist, page)
            for item in listed.items:
                found = item.snippet.resource.video
                if marker_of(id) in item.snippet.description and found not in record.former:
                    return found
            page = listed.next
            oldest = listed.items[-1].snippet.published_at if listed.items else record.begun_at
            if page is None or oldest < record.begun_at - _CLOCKS:
                break
        if now() - record.last_sent_at < timedelta(seconds=self._section.listing_delay):
            raise Unconfirmed(_NOT_LISTED_YET)
        return None


def _mutable(part: Part, names: tuple[str, ...]) -> Part:
    return {name: part[name] for name in names if name in part}
