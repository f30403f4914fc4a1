"""The files of publications on the site: brought with the page, and gone with it."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from services.publisher.channels.interface import Posted
from services.publisher.channels.site import SiteChannel
from services.publisher.channels.site.attachments import files_of
from services.publisher.channels.site.settings import SiteSection
from services.publisher.settings import PublisherSettings
from shared.events import Outcome, new_id
from shared.media import ImageFormat, MediaMissing, MediaStore, rendition_key
from shared.mongo import Mongo
from shared.publication import MediaFile
from shared.vocabulary import MediaForm
from tests.samples import corrected, delivery, publication, withdrawn
from tests.services.publisher.conftest import Memory

WATCH = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
YouTube = dict[UUID, Posted]


@pytest.fixture
def youtube() -> YouTube:
    """What YouTube shows."""
    return {}


@pytest.fixture
async def store(publisher_settings: PublisherSettings) -> AsyncIterator[MediaStore]:
    store = MediaStore(publisher_settings.mongo_url.get_secret_value())
    await store.prepare()
    yield store
    store.close()


@pytest.fixture
async def site(
    publisher_settings: PublisherSettings, site_section: SiteSection, store: MediaStore, youtube: YouTube
) -> AsyncIterator[SiteChannel]:
    async def posted(publication: UUID, channel: str) -> Posted | None:
        assert channel == "youtube"
        return youtube.get(publication)

    mongo = Mongo(publisher_settings.mongo_url.get_secret_value(), "publisher")
    site = SiteChannel(mongo.database, store, site_section, publisher_settings, posted)
    await site.prepare()
    yield site
    await site.close()
    mongo.close()


async def put(store: MediaStore, key: str, content: bytes) -> None:
    async def blocks() -> AsyncIterator[bytes]:
        yield content

    await store.write(key, blocks())


async def photo(store: MediaStore, name: str, *, made: bool = True) -> MediaFile:
    file = MediaFile(
        id=new_id(),
        form=MediaForm.PHOTO,
        media_type="image/jpeg",
        sha256=hashlib.sha256(name.encode()).hexdigest(),
        size=5,
        width=700,
        height=500,
        alt=name,
    )
    if made:
        await render(store, file)
    return file


async def render(store: MediaStore, file: MediaFile) -> None:
    for width in (480, 700):
        for format in ImageFormat:
            await put(store, rendition_key(file, width=width, format=format), f"{width}{format}".encode())


def pages(root: Path) -> list[Path]:
    return list(root.glob("publications/*/index.html"))


def there(root: Path, file: MediaFile) -> bool:
    return (root / "media" / file.sha256).exists()


async def test_files_come_with_the_page_and_go_with_it(
    site: SiteChannel, store: MediaStore, site_root: Path
) -> None:
    first, second, shared = [await photo(store, name) for name in ("перше", "друге", "спільне")]
    one = publication("photo_report", media=(first, shared))
    other = publication(media=(shared,))
    for each in (one, other):
        posted = await site.publish(each, Memory())
    for path in files_of(one):
        assert (site_root / path).stat().st_size > 0
    fixed = corrected(one).model_copy(update={"media": (second, shared)})
    await site.update(fixed, posted, Memory())
    assert [there(site_root, file) for file in (first, second, shared)] == [False, True, True]
    await site.withdraw(withdrawn(fixed), posted, Memory())
    assert [there(site_root, file) for file in (first, second, shared)] == [False, False, True]
    await site.withdraw(withdrawn(other), posted, Memory())
    assert not there(site_root, shared)


async def test_a_page_waits_for_its_renditions(site: SiteChannel, store: MediaStore, site_root: Path) -> None:
    one = publication("photo_report", media=(await photo(store, "пізнє", made=False),))
    with pytest.raises(MediaMissing):
        await site.publish(one, Memory())
    assert not (site_root / "publications").exists()
    await render(store, one.media[0])
    await site.publish(one, Memory())
    assert len(pages(site_root)) == 1


async def test_what_overtaken_calls_brought_does_not_stay(
    site: SiteChannel, store: MediaStore, site_root: Path
) -> None:
    """A withdrawal first, then the release that it overtook."""
    one = publication("photo_report", media=(await photo(store, "зайве"),))
    await site.withdraw(withdrawn(one), None, Memory())
    await site.publish(one, Memory())
    assert not there(site_root, one.media[0])


async def test_a_lost_folder_is_filled_again_with_its_files(
    site: SiteChannel, store: MediaStore, site_root: Path
) -> None:
    one = publication("photo_report", media=(await photo(store, "знову"),))
    await site.publish(one, Memory())
    for path in files_of(one):
        (site_root / path).unlink()
    await site.edition.rebuild()
    assert all((site_root / path).exists() for path in files_of(one))


async def test_the_video_is_embedded_when_youtube_has_it_and_until_it_is_gone(
    site: SiteChannel, site_root: Path, youtube: YouTube
) -> None:
    one = publication("video", targets=("site", "youtube"))
    heard = delivery(one, "youtube", Outcome.PUBLISHED).data
    await site.hear(heard)
    await site.publish(one, Memory())
    [page] = pages(site_root)
    assert "<iframe" not in page.read_text()
    youtube[one.id] = Posted(url=WATCH, awaiting="Обробляється.")
    await site.hear(heard)
    assert "<iframe" not in page.read_text()
    youtube[one.id] = Posted(url=WATCH)
    await site.hear(heard)
    assert "youtube-nocookie.com/embed/dQw4w9WgXcQ" in page.read_text()
    await site.update(corrected(one), Posted(), Memory())
    assert "youtube-nocookie.com/embed/dQw4w9WgXcQ" in page.read_text()
    del youtube[one.id]
    await site.hear(heard)
    assert "<iframe" not in page.read_text()
