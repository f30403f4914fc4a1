"""The files that a submission names: found, its department's, and enough for its kind."""

from services.ingest.media.records import Records
from services.ingest.reading import unfit
from shared.publication import Content, Department, MediaFile
from shared.vocabulary import Kind, MediaForm

_NEEDED = {Kind.PHOTO_REPORT: MediaForm.PHOTO, Kind.VIDEO: MediaForm.VIDEO}
_NEEDED_TEXT = {
    MediaForm.PHOTO: "a photo report needs at least one photograph: hand it in first, by POST /v1/media",
    MediaForm.VIDEO: "a video story needs at least one video: hand it in first, by POST /v1/media",
}


async def resolve(
    records: Records, content: Content, department: Department, *, claim: bool
) -> tuple[MediaFile, ...]:
    """The files that the content names, in its order.

    With `claim`, as before an acceptance, none of them is removed as unused for days; without it nothing is
    changed, for who only wants to look. Raises a 422 `Problem`, and `StoreUnavailable`.
    """
    found = await records.resolve(content.media, department.id, claim=claim)
    missing: list[dict[str, object]] = [
        {"field": "media", "message": f"your department has handed in no file {id}"}
        for id in content.media
        if id not in found
    ]
    if missing:
        raise unfit(*missing)
    media = tuple(found[id] for id in content.media)
    needed = _NEEDED.get(content.kind)
    if needed is not None and not any(file.form is needed for file in media):
        raise unfit({"field": "media", "message": _NEEDED_TEXT[needed]})
    return media
