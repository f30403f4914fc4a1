"""What is special about Mastodon: its limits, its photographs, and its memory of an hour."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from services.publisher.app import Publisher
from services.publisher.channels.interface import Away, Halted, Posted, Unconfirmed
from services.publisher.channels.mastodon import MastodonChannel
from services.publisher.settings import PublisherSettings
from shared.media import WIDTHS, ImageFormat, rendition_key
from shared.publication import MediaFile, Publication
from tests.media import photograph
from tests.platforms.mastodon import LONGEST, PER_URL, MastodonPlatform
from tests.platforms.platform import Fault
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
    of = corrected(publication(content={"lead": "Тролейбус змінює маршрут. " * 70}, targets=("mastodon",)))
    await published(mastodon, of)
    (status,) = platform.statuses
    assert len(status.text) <= LONGEST
    assert status.text.startswith(of.content.title)
    assert status.text.endswith("Уточнено: Уточнено час.")
    assert mastodon.preview(of).problems == ("Текст довший за 500 знаків: його буде скорочено.",)
    assert mastodon.preview(of).pieces[0].text == status.text


async def test_the_preview_leaves_room_for_the_page_s_address(mastodon: MastodonChannel) -> None:
    content = {"title": "Новина", "lead": "а" * (LONGEST - 20)}
    alone, linked = (publication(content=content, targets=targets) for targets in (("mastodon",), ("site",)))
    assert mastodon.preview(alone).problems == ()
    assert len(mastodon.preview(linked).pieces[0].text) == LONGEST - PER_URL - len("\n\n")
    assert "скорочено" in mastodon.preview(linked).problems[0]


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
    described = of.model_copy(
        update={"media": (of.media[0].model_copy(update={"alt": "Новий міст"}), *of.media[1:])}
    )
    again = await mastodon.update(corrected(described), posted, Memory())
    assert [picture.alt for picture in platform.shown()[0].pictures][:2] == ["Новий міст", "Світлина 1"]
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


async def test_another_publication_s_post_with_the_same_title_is_not_taken_for_its_own(
    mastodon: MastodonChannel, platform: MastodonPlatform
) -> None:
    """«До уваги представників ЗМІ» comes every week: a withdrawal must not delete last week's post."""
    title = {"title": "До уваги представників ЗМІ"}
    await published(mastodon, publication(content=title | {"lead": "Засідання комісії."}))
    platform.statuses[0].created_at -= timedelta(days=7)
    lost = publication(content=title | {"lead": "Пресконференція."})
    platform.faults.append(Fault.CUT_BEFORE)
    with pytest.raises(Unconfirmed):
        await published(mastodon, lost)
    assert await mastodon.find(lost) is None
    await published(mastodon, publication(content=title | {"lead": "Прийом громадян."}))
    with pytest.raises(Unconfirmed, match="перевірте"):
        await mastodon.find(lost)


async def test_a_page_s_address_that_another_one_begins_with_is_not_its_own(
    stand: Stand, publisher: Publisher, platform: MastodonPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The site tells publications of one title apart by a number at the address's end."""
    lost, other = publication(), publication()
    pages = {lost.id: "https://rada.example/news/a", other.id: "https://rada.example/news/a-2"}

    async def posted(of: UUID, channel: str) -> Posted:
        del channel
        return Posted(url=pages[of])

    monkeypatch.setattr(publisher, "posted", posted)
    channel = MastodonChannel(publisher, section_for(stand._running.url))
    await channel.prepare()
    platform.faults.append(Fault.CUT_BEFORE)
    with pytest.raises(Unconfirmed):
        await published(channel, lost)
    await published(channel, other)
    assert await channel.find(lost) is None
    platform.faults.append(Fault.CUT_AFTER)
    with pytest.raises(Unconfirmed):
        await published(channel, lost)
    found = await channel.find(lost)
    assert found is not None
    assert found.remote["status"] == platform.statuses[-1].id
    await channel.close()


async def test_an_old_post_is_found_among_many(mastodon: MastodonChannel, platform: MastodonPlatform) -> None:
    of = publication(content={"title": "Перша серед багатьох"})
    first = await published(mastodon, of)
    for number in range(60):
        await published(mastodon, publication(content={"title": f"Новина № {number}"}))
    found = await mastodon.find(of)
    assert found is not None
    assert found.remote["status"] == first.remote["status"]


async def test_a_post_that_may_be_beyond_what_is_looked_through_is_left_to_a_person(
    mastodon: MastodonChannel, platform: MastodonPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.publisher.channels.mastodon.LOOKED_THROUGH", 40)
    of = publication(content={"title": "Перша серед багатьох"})
    await published(mastodon, of)
    for number in range(41):
        await published(mastodon, publication(content={"title": f"Новина № {number}"}))
    with pytest.raises(Unconfirmed, match="надто багато"):
        await mastodon.find(of)


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
