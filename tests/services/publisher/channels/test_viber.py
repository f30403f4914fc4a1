"""What is Viber's own: further posts in place of edits, pictures from the site, and its statuses."""

from collections.abc import AsyncIterator

import pytest

from services.publisher.channels.interface import Away, Halted, Posted, Unconfirmed
from services.publisher.channels.viber import LONGEST
from services.publisher.settings import PublisherSettings
from shared.bus import Later, Permanent
from shared.events import new_id
from shared.mongo import Mongo
from shared.publication import MediaFile, Publication
from shared.vocabulary import MediaForm
from tests.platforms.platform import Fault
from tests.samples import corrected, publication, withdrawn
from tests.services.publisher.channels.viber_channel import PAGE, Viber, opened

DIGEST = "ab" * 32


@pytest.fixture
async def viber(publisher_settings: PublisherSettings) -> AsyncIterator[Viber]:
    mongo = Mongo(publisher_settings.mongo_url.get_secret_value(), "publisher")
    async with opened(publisher_settings, mongo.database) as viber:
        await viber.channel.prepare()
        yield viber
    mongo.close()


def of(*media: MediaFile, targets: tuple[str, ...] = ("site", "viber")) -> Publication:
    return publication(targets=targets, media=media, content={"media": [file.id for file in media]})


def photo(**fields: object) -> MediaFile:
    given: dict[str, object] = {
        "id": new_id(),
        "form": MediaForm.PHOTO,
        "media_type": "image/jpeg",
        "sha256": DIGEST,
        "size": 1000,
        "width": 3000,
        "height": 2000,
        "alt": "Міст зверху",
    }
    return MediaFile.model_validate(given | fields)


async def test_the_post_says_everything_and_leads_to_the_site(viber: Viber) -> None:
    made = of()
    posted = await viber.publish(made)
    assert posted == Posted(remote={"message": str(viber.platform.posts[0].token)})
    [text] = viber.texts()
    assert text.startswith(made.content.title)
    assert made.content.lead in text
    assert text.endswith(f"\n{PAGE}")


async def test_a_photograph_is_fetched_from_the_site(viber: Viber) -> None:
    posted = await viber.publish(of(photo(), photo()))
    text, picture = viber.platform.posts
    assert (text.type, picture.type, picture.text) == ("text", "picture", "Міст зверху")
    site = viber.around.settings.site_url
    assert picture.media == f"{site}/media/{DIGEST}/960.jpg"
    assert posted.note is None


@pytest.mark.parametrize(("targets", "page"), [(("viber",), PAGE), (("site", "viber"), None)])
async def test_without_the_site_there_is_no_picture(
    viber: Viber, targets: tuple[str, ...], page: str | None
) -> None:
    viber.around.page = page
    await viber.publish(of(photo(), targets=targets))
    assert [post.type for post in viber.platform.posts] == ["text"]


@pytest.mark.parametrize(
    ("fault", "said"), [(Fault.REFUSED, "без світлини"), (Fault.CUT_AFTER, "подивіться в каналі")]
)
async def test_a_picture_that_fails_leaves_the_text_standing(viber: Viber, fault: Fault, said: str) -> None:
    viber.platform.spared = 1
    viber.platform.faults.append(fault)
    posted = await viber.publish(of(photo()))
    assert posted.note is not None
    assert said in posted.note
    assert viber.platform.posts[0].type == "text"


async def test_the_longest_text_fits_with_its_link(viber: Viber) -> None:
    long = publication(targets=("site", "viber"), content={"body": "«Щоденник» міста’й громади. " * 600})
    await viber.publish(long)
    [text] = viber.texts()
    assert LONGEST - 40 < len(text) <= LONGEST
    assert "…\n\n" in text
    assert text.endswith(PAGE)
    assert any("скорочено" in problem for problem in viber.channel.preview(long).problems)


async def test_a_minor_correction_posts_nothing_and_says_so(viber: Viber) -> None:
    first = of()
    posted = await viber.publish(first)
    note = (await viber.update(corrected(first, significance="minor", title="Інакше"), posted)).note
    assert note is not None
    assert "лише на сайті" in note
    assert len(viber.texts()) == 1


async def test_a_major_correction_is_told_once_however_often_it_is_asked_for(viber: Viber) -> None:
    first = of()
    posted = await viber.publish(first)
    second = corrected(first, title="Міст відкриють у п’ятницю")
    for _ in range(2):
        posted = await viber.update(second, posted)
    old, new = viber.texts()
    assert new.startswith("Уточнення: Уточнено час.\n\nМіст відкриють у п’ятницю")
    assert old.startswith(first.content.title)

    third = corrected(second, significance="minor")
    await viber.update(third, posted)
    await viber.update(corrected(third), posted)
    assert len(viber.texts()) == 3


async def test_a_first_public_revision_is_no_correction(viber: Viber) -> None:
    """Settled as there by a person, it is asked for again."""
    second = corrected(of())
    posted = await viber.publish(second)
    await viber.update(second, Posted(remote=posted.remote))
    assert len(viber.texts()) == 1


async def test_a_withdrawal_gives_the_reason_once(viber: Viber) -> None:
    first = of()
    posted = await viber.publish(first)
    gone = withdrawn(first, "Дані не підтвердилися.")
    for _ in range(2):
        left = await viber.withdraw(gone, posted)
        assert left is not None
    assert viber.texts()[1:] == [f"Відкликано: «{first.content.title}»\n\nПричина: Дані не підтвердилися."]


async def test_what_is_shown_again_after_a_withdrawal_can_be_withdrawn_again(viber: Viber) -> None:
    first = of()
    for posts in (2, 4):
        posted = await viber.publish(first)
        await viber.withdraw(withdrawn(first), posted)
        assert len(viber.texts()) == posts
        assert await viber.channel.find(first) is None


async def test_what_was_never_shown_here_is_not_taken_back_aloud(viber: Viber) -> None:
    assert await viber.withdraw(withdrawn(of()), None) is None
    assert viber.texts() == []


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE, Fault.CUT_AFTER, Fault.SERVER_ERROR_AFTER])
async def test_a_further_post_in_doubt_is_not_made_again_and_a_person_is_told(
    viber: Viber, fault: Fault
) -> None:
    first = of()
    posted = await viber.publish(first)
    second = corrected(first)
    gone = withdrawn(second)

    async def correct() -> Posted | None:
        return await viber.update(second, posted)

    async def withdraw() -> Posted | None:
        return await viber.withdraw(gone, posted)

    for number, make in enumerate((correct, withdraw)):
        viber.platform.faults.append(fault)
        with pytest.raises(Unconfirmed):
            await make()
        seen = viber.texts()
        left = await make()
        assert left is not None
        assert left.note is not None
        assert left.note.startswith("Невідомо, чи вийшло")
        assert viber.texts() == seen
        assert len(viber.around.alerts) == number + 1


async def test_a_release_in_doubt_is_for_a_person_and_one_that_is_known_is_not(viber: Viber) -> None:
    lost, known = of(), of()
    viber.platform.faults.append(Fault.CUT_AFTER)
    with pytest.raises(Unconfirmed):
        await viber.publish(lost)
    with pytest.raises(Unconfirmed):
        await viber.channel.find(lost)
    assert await viber.channel.find(of()) is None
    assert await viber.channel.find(known) is None
    posted = await viber.publish(known)
    assert await viber.channel.find(known) == posted


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (2, Halted),
        (10, Halted),
        (7, Halted),
        (15, Halted),
        (3, Permanent),
        (4, Permanent),
        (12, Later),
        (99, Unconfirmed),
    ],
)
async def test_each_status_means_what_it_means(viber: Viber, status: int, error: type[Exception]) -> None:
    made = of()
    viber.platform.status = status
    with pytest.raises(error) as raised:
        await viber.publish(made)
    assert type(raised.value) is error
    assert "4a5b" not in str(raised.value)
    if error is not Unconfirmed:
        assert await viber.channel.find(made) is None, "nothing is in doubt"


async def test_a_token_that_is_not_taken_halts_the_start(publisher_settings: PublisherSettings) -> None:
    mongo = Mongo(publisher_settings.mongo_url.get_secret_value(), "publisher")
    async with opened(publisher_settings, mongo.database, token="інший-маркер") as viber:
        with pytest.raises(Halted) as halted:
            await viber.channel.prepare()
        assert "VIBER_TOKEN" in halted.value.remedy
    mongo.close()


async def test_a_channel_without_a_super_admin_halts_the_start(viber: Viber) -> None:
    viber.platform.members[0]["role"] = "admin"
    with pytest.raises(Halted):
        await viber.channel.prepare()


async def test_nobody_there_is_away(publisher_settings: PublisherSettings) -> None:
    mongo = Mongo(publisher_settings.mongo_url.get_secret_value(), "publisher")
    async with opened(publisher_settings, mongo.database, api_url="http://127.0.0.1:1") as viber:
        with pytest.raises(Away):
            await viber.channel.prepare()
    mongo.close()


def test_what_does_not_fit_is_told_before(viber: Viber) -> None:
    preview = viber.channel.preview(of(photo(), photo()))
    assert [bool(piece.images) for piece in preview.pieces] == [False, True]
    assert any("лише перша" in problem for problem in preview.problems)
    alone = viber.channel.preview(of(photo(), targets=("viber",)))
    assert len(alone.pieces) == 1
    assert any("без світлин" in problem for problem in alone.problems)
