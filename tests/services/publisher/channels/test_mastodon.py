"""What is special about Mastodon: its limits, its photographs, and its memory of an hour."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from services.publisher.app import Publisher
from services.publisher.channels.interface import Away, Halted, Posted
from services.publisher.channels.mastodon import MastodonChannel
from services.publisher.settings import PublisherSettings
from shared.media import WIDTHS, ImageFormat, rendition_key
from shared.publication import MediaFile, Publication
from tests.media import photograph
from tests.platforms.mastodon import LONGEST, MastodonPlatform
from tests.samples import corrected, publication
from tests.services.publisher.conftest import Memory
from tests.services.publisher.stands.mastodon import Stand, section_for


@pytest.fixture
async def stand(publisher_settings: PublisherSettings, tmp_path: Path) -> AsyncIterator[Stand]:
    stand = Stand(publisher_settings, tmp_path)
    await stand.open()
    yield stand
    await stand.close()


@pytest.fixture
def platform(stand: Stand) -> MastodonPlatform:
    return stand.platform


@pytest.fixture
async def publisher(stand: Stand, publisher_settings: PublisherSettings) -> AsyncIterator[Publisher]:
    settings = publisher_settings.model_copy(update={"channels": ("mastodon",)})
    publisher = Publisher(settings, [section_for(stand._running.url)])
    await publisher.media.prepare()
    yield publisher
    await publisher.stop()


@pytest.fixture
async def mastodon(publisher: Publisher) -> MastodonChannel:
    channel = publisher.channels["mastodon"]
    assert isinstance(channel, MastodonChannel)
    await channel.prepare()
    return channel


async def photographed(publisher: Publisher, count: int) -> Publication:
    """A publication with photographs whose renditions are there."""
    files = []
    for number in range(count):
        of = publication()
        file = MediaFile.model_validate(
            {
                "id": of.id,
                "form": "photo",
                "media_type": "image/jpeg",
                "sha256": f"{number:064x}",
                "size": 10,
                "width": 1200,
                "height": 800,
                "alt": f"Світлина {number}",
            }
        )
        content = photograph()

        async def blocks(content: bytes = content) -> AsyncIterator[bytes]:
            yield content

        key = rendition_key(file, width=WIDTHS[2], format=ImageFormat.JPEG)
        await publisher.media.write(key, blocks())
        files.append(file)
    return publication("photo_report", content={"media": [file.id for file in files]}, media=tuple(files))


async def published(channel: MastodonChannel, of: Publication) -> Posted:
    return await channel.publish(of, Memory())


async def test_a_long_text_is_cut_at_a_word_and_keeps_its_correction(
    mastodon: MastodonChannel, platform: MastodonPlatform
) -> None:
    """The stand-in refuses what is over the server's limit."""
    of = corrected(publication(content={"lead": "Тролейбус змінює маршрут. " * 70}))
    await published(mastodon, of)
    (status,) = platform.statuses
    assert len(status.text) <= LONGEST
    assert status.text.startswith(of.content.title)
    assert status.text.endswith("Уточнено: Уточнено час.")
    assert mastodon.preview(of).problems == ("Текст довший за 500 знаків: його буде скорочено.",)
    assert mastodon.preview(of).pieces[0].text == status.text


async def test_four_photographs_are_shown_with_their_texts_and_not_uploaded_twice(
    mastodon: MastodonChannel, platform: MastodonPlatform, publisher: Publisher
) -> None:
    platform.processing = 2
    of = await photographed(publisher, 5)
    posted = await published(mastodon, of)
    (shown,) = platform.shown()
    assert [picture.alt for picture in shown.pictures] == [f"Світлина {number}" for number in range(4)]
    assert "Світлин більше" in mastodon.preview(of).problems[-1]
    uploads = platform.calls.count("POST /api/v2/media")
    again = await mastodon.update(corrected(of), posted, Memory())
    assert platform.calls.count("POST /api/v2/media") == uploads
    assert platform.statuses[0].edited
    assert again.remote == posted.remote


async def test_the_same_call_within_an_hour_makes_one_post_and_later_it_is_found(
    mastodon: MastodonChannel, platform: MastodonPlatform
) -> None:
    of = publication()
    first = await published(mastodon, of)
    assert (await published(mastodon, of)).remote["status"] == first.remote["status"]
    platform.forget_keys()
    found = await mastodon.find(of)
    assert found is not None
    assert found.remote["status"] == first.remote["status"]
    assert await mastodon.find(publication(content={"title": "Про інше"})) is None


async def test_an_old_post_is_found_among_many(mastodon: MastodonChannel, platform: MastodonPlatform) -> None:
    of = publication(content={"title": "Перша серед багатьох"})
    first = await published(mastodon, of)
    for number in range(60):
        await published(mastodon, publication(content={"title": f"Новина № {number}"}))
    found = await mastodon.find(of)
    assert found is not None
    assert found.remote["status"] == first.remote["status"]


async def test_a_post_that_somebody_deleted_is_said_to_be_gone(
    mastodon: MastodonChannel, platform: MastodonPlatform
) -> None:
    of = publication()
    posted = await published(mastodon, of)
    platform.clear()
    assert "видалили" in str((await mastodon.update(corrected(of), posted, Memory())).note)
    assert await mastodon.withdraw(of, posted, Memory()) is None


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        (lambda url: {"url": url, "token": "old"}, Halted),
        (lambda _: {"url": "http://127.0.0.1:1"}, Away),
    ],
)
async def test_it_does_not_begin_without_its_server_or_token(
    stand: Stand, publisher: Publisher, broken: Callable[[str], dict[str, str]], error: type[Exception]
) -> None:
    url = stand._running.url
    section = section_for(**({"url": url} | broken(url)))
    channel = MastodonChannel(publisher, section)
    with pytest.raises(error) as caught:
        await asyncio.wait_for(channel.prepare(), 20)
    assert section.token.get_secret_value() not in str(caught.value)
    await channel.close()
