"""What is special about Facebook: doubts that are looked up, photographs, videos, tokens, limits."""

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from datetime import timedelta

import pytest
from pydantic import SecretStr

from services.publisher.channels.facebook.records import Record
from services.publisher.channels.interface import Away, Halted, Posted, Unconfirmed
from shared.bus import Later, Permanent
from shared.events import now
from shared.mongo import Mongo
from shared.publication import Publication
from shared.settings import SharedSettings
from tests.platforms.facebook import (
    APP_SECRET,
    DUPLICATE,
    PAGE_ID,
    PAGE_TOKEN,
    SERVER_ERROR,
    THROTTLED,
    UNKNOWN_OBJECT,
    FacebookPlatform,
    Failure,
    Script,
)
from tests.platforms.platform import Fault
from tests.samples import corrected, publication, withdrawn
from tests.services.publisher.channels.facebook_page import SITE, Memory, Page, opened
from tests.waiting import eventually

MIB = 1024 * 1024
Open = Callable[..., Awaitable[Page]]
FEED, PHOTOS, VIDEOS = f"POST /{PAGE_ID}/feed", f"POST /{PAGE_ID}/photos", f"POST /{PAGE_ID}/videos"
LIST = f"GET /{PAGE_ID}/published_posts"


@pytest.fixture
def platform() -> FacebookPlatform:
    return FacebookPlatform()


@pytest.fixture
async def open_page(
    shared_settings: SharedSettings, mongo: Mongo, platform: FacebookPlatform
) -> AsyncIterator[Open]:
    """Start a process with the channel; a second call is another process."""
    async with AsyncExitStack() as stack:

        async def start(**fields: object) -> Page:
            return await stack.enter_async_context(
                opened(shared_settings, mongo.database, platform, **fields)
            )

        yield start


@pytest.fixture
async def page(open_page: Open) -> Page:
    return await open_page()


async def found(page: Page, of: Publication) -> Posted | None:
    """What the worker learns in the end: it asks again as long as it is told to wait."""
    answers: list[Posted | None] = []

    async def answered() -> bool:
        with suppress(Later):
            answers.append(await page.channel.find(of))
        return bool(answers)

    await eventually(answered)
    return answers[-1]


async def doubted(page: Page, fault: Fault, **content: object) -> Publication:
    """A publication whose post may have been made."""
    of = publication(content=content)
    page.platform.faults.append(fault)
    with pytest.raises(Unconfirmed):
        await page.publish(of)
    return of


async def test_a_post_leads_to_the_site_and_shows_its_preview(page: Page) -> None:
    of = publication("event")
    posted = await page.publish(of)
    (post,) = page.platform.posts.values()
    address = f"{SITE}/{of.id}/"
    assert post.link == address
    assert post.message.startswith(of.content.title)
    assert post.message.endswith(f"\n{address}")
    assert "• початок: 9:00\n• кінець: 18:00" in post.message
    assert "Де: Театральний майдан" in post.message
    assert posted.url == f"https://www.facebook.com/{PAGE_ID}/posts/{post.id.split('_')[1]}"


async def test_without_a_page_on_the_site_it_is_text_alone(page: Page) -> None:
    page.around.on_site = False
    await page.publish(publication())
    (post,) = page.platform.posts.values()
    assert post.link is None
    assert "http" not in post.message


async def test_a_correction_is_told_where_it_is_major(page: Page) -> None:
    first = publication()
    posted = await page.publish(first)
    second = corrected(first, significance="minor", title="Нова назва")
    assert await page.update(second, posted) == posted
    (text,) = page.texts()
    assert text.startswith("Нова назва")
    assert "Уточнено" not in text
    await page.update(corrected(second), posted)
    assert "Уточнено: Уточнено час." in page.texts()[0]


@pytest.mark.parametrize("count", [1, 3, 12])
async def test_photographs_are_attached_with_their_descriptions(page: Page, count: int) -> None:
    colours = ["red", "red", *(f"rgb({index * 20},0,0)" for index in range(10))]
    photos = [await page.photo(colour, alt=f"Світлина {at}") for at, colour in enumerate(colours[:count])]
    of = publication("photo_report", media=photos)
    await page.publish(of)
    (post,) = page.platform.posts.values()
    assert len(post.photos) == min(count, 10)
    alts = [page.platform.photos[id].alt for id in post.photos]
    assert alts == [photo.alt for photo in photos[:10]]
    assert post.link is None, "Facebook takes a link or photographs"
    assert post.message.endswith(f"{SITE}/{of.id}/")
    assert bool(page.channel.preview(of).problems) is (count > 10)


async def test_photographs_are_not_uploaded_again_after_a_crash(page: Page) -> None:
    of = publication("photo_report", media=[await page.photo("red"), await page.photo("blue")])
    page.platform.failures = [Script(FEED, THROTTLED)]
    call = Memory()
    with pytest.raises(Later):
        await page.publish(of, call)
    await page.publish(of, call)
    assert page.platform.calls.count(PHOTOS) == 2
    assert page.platform.shown()[0].images == 2


async def test_photographs_that_facebook_forgot_are_uploaded_once_more(page: Page) -> None:
    of = publication("photo_report", media=[await page.photo()])
    page.platform.failures = [Script(FEED, THROTTLED)]
    call = Memory()
    with pytest.raises(Later):
        await page.publish(of, call)
    page.platform.photos.clear()
    with pytest.raises(Later):
        await page.publish(of, call)
    await page.publish(of, call)
    assert page.platform.shown()[0].images == 1


async def test_a_photograph_that_could_not_be_uploaded_leaves_no_doubt(page: Page) -> None:
    of = publication("photo_report", media=[await page.photo()])
    page.platform.failures = [Script(PHOTOS, SERVER_ERROR)]
    with pytest.raises(Later):
        await page.publish(of)
    assert await page.channel.find(of) is None
    assert LIST not in page.platform.calls, "nothing was posted: there is nothing to look for"


async def test_other_photographs_in_a_correction_are_said_to_be_missing(page: Page) -> None:
    of = publication("photo_report", media=[await page.photo("red")])
    posted = await page.publish(of)
    after = await page.update(corrected(of).model_copy(update={"media": (await page.photo("blue"),)}), posted)
    assert after.note is not None
    assert "замінити" in after.note


@pytest.mark.parametrize(
    "fault", [Fault.SERVER_ERROR_AFTER, Fault.CUT_AFTER, Fault.HANGS_AFTER], ids=lambda fault: fault.name
)
async def test_what_an_unclear_answer_left_behind_is_found_though_it_shows_late(
    page: Page, fault: Fault
) -> None:
    page.platform.lag = 0.15
    of = await doubted(page, fault)
    posted = await found(page, of)
    assert posted is not None
    await page.update(corrected(of, title="Нова назва"), posted)
    assert page.texts()[0].startswith("Нова назва")
    await page.withdraw(withdrawn(of), posted)
    assert page.texts() == []


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.CUT_BEFORE], ids=lambda fault: fault.name)
async def test_nothing_is_certain_only_once_a_post_would_be_listed(page: Page, fault: Fault) -> None:
    of = await doubted(page, fault)
    with pytest.raises(Later) as waits:
        await page.channel.find(of)
    assert waits.value.after > 0
    assert not waits.value.counted
    assert await found(page, of) is None
    await page.publish(of)
    assert len(page.texts()) == 1


async def test_it_is_found_among_many_by_its_address(page: Page) -> None:
    page.platform.most_listed = 2
    of = await doubted(page, Fault.SERVER_ERROR_AFTER)
    for number in range(5):
        await page.publish(publication(content={"title": f"Інша новина {number}"}))
    posted = await found(page, of)
    assert posted is not None
    assert posted.remote["post"] == next(iter(page.platform.posts))
    assert page.platform.calls.count(LIST) == 3
    assert not any(PAGE_TOKEN in address for address in page.platform.requests)


async def test_a_post_that_only_mentions_the_address_is_not_taken_for_it(page: Page) -> None:
    of = await doubted(page, Fault.SERVER_ERROR)
    mention = f"Дивіться {SITE}/{of.id}/ про це."
    await page.publish(publication(content={"title": "Роз’яснення", "body": mention}))
    assert await found(page, of) is None


async def test_without_an_address_the_very_text_tells_and_never_anothers_post(page: Page) -> None:
    page.around.on_site = False
    of = await doubted(page, Fault.SERVER_ERROR_AFTER)
    posted = await found(page, of)
    assert posted is not None
    await page.withdraw(withdrawn(of), posted)
    other = publication(content={"title": "Повітряна тривога"})
    await page.publish(other)
    again = await doubted(page, Fault.SERVER_ERROR, title="Повітряна тривога", lead="Знову.")
    assert await found(page, again) is None, "the other publication's post is known to be its own"


async def test_a_post_whose_number_is_known_is_found_though_it_is_not_listed(page: Page) -> None:
    page.platform.processes_videos = False
    page.platform.lag = 3600
    for of in (publication(), publication("video", media=[await page.video(1000)])):
        posted = await page.publish(of)
        known = await page.channel.find(of)
        assert known is not None
        assert (known.remote["post"], known.url) == (posted.remote["post"], posted.url)
        assert known.awaiting == posted.awaiting
    assert LIST not in page.platform.calls


async def test_a_post_that_looks_alike_is_left_to_a_person(page: Page) -> None:
    of = await doubted(page, Fault.SERVER_ERROR_AFTER)
    (post,) = page.platform.posts.values()
    post.message = post.message.replace(f"{SITE}/{of.id}/", "")
    with pytest.raises(Unconfirmed, match="перевірте"):
        await found(page, of)


async def test_a_duplicate_is_a_hint_that_it_is_there(page: Page) -> None:
    of = publication()
    page.platform.failures = [Script(FEED, DUPLICATE, effect=True)]
    with pytest.raises(Unconfirmed):
        await page.publish(of)
    assert await found(page, of) is not None
    other = publication()
    page.platform.failures = [Script(FEED, DUPLICATE)]
    with pytest.raises(Unconfirmed):
        await page.publish(other)
    with pytest.raises(Unconfirmed):
        await found(page, other)


async def test_a_crash_before_anything_was_sent_leaves_nothing_to_look_for(page: Page) -> None:
    assert await page.channel.find(publication()) is None
    assert page.platform.calls == []


async def test_deleting_what_is_gone_is_success_and_correcting_it_is_not(page: Page) -> None:
    of = publication()
    posted = await page.publish(of)
    await page.withdraw(withdrawn(of), posted)
    await page.withdraw(withdrawn(of), posted)
    with pytest.raises(Permanent, match="видалили"):
        await page.update(corrected(of), posted)


async def test_gone_by_its_number_but_still_listed_is_not_gone(page: Page) -> None:
    of = publication()
    posted = await page.publish(of)
    (id,) = page.platform.posts
    page.platform.failures = [Script(f"DELETE /{id}", UNKNOWN_OBJECT)]
    with pytest.raises(Later, match="ще показує"):
        await page.withdraw(withdrawn(of), posted)
    await page.withdraw(withdrawn(of), posted)
    assert page.texts() == []


async def test_a_video_is_uploaded_and_posted(page: Page) -> None:
    file = await page.video(3 * MIB + 17)
    of = publication("video", media=[file])
    posted = await page.publish(of)
    (video,) = page.platform.videos.values()
    assert (video.size, video.sha256) == (file.size, file.sha256)
    assert video.title == of.content.title
    assert video.description.endswith(f"{SITE}/{of.id}/")
    assert posted.url == f"https://www.facebook.com/{PAGE_ID}/videos/{video.id}/"
    assert page.channel.preview(of).pieces[0].video == "sesiia.mp4"
    await page.update(corrected(of, title="Нова назва"), posted)
    assert video.title == "Нова назва"
    await page.withdraw(withdrawn(of), posted)
    assert page.texts() == []


async def test_an_upload_goes_on_where_the_connection_was_cut(page: Page) -> None:
    page.platform.cut_after = MIB
    file = await page.video(4 * MIB + 17)
    await page.publish(publication("video", media=[file]))
    (video,) = page.platform.videos.values()
    assert video.sha256 == file.sha256
    assert page.platform.bytes_taken == file.size, "nothing that had arrived came twice"


async def test_an_upload_that_takes_long_makes_room_and_is_continued_by_the_next_process(
    open_page: Open, platform: FacebookPlatform
) -> None:
    page = await open_page(slice=0.5)
    platform.held_after = MIB
    file = await page.video(4 * MIB)
    of, call = publication("video", media=[file]), Memory()
    with pytest.raises(Later) as waits:
        await page.publish(of, call)
    assert not waits.value.counted
    platform.held_after = None
    again = await open_page()
    await again.publish(of, call)
    assert platform.bytes_taken == file.size
    assert next(iter(platform.videos.values())).sha256 == file.sha256


async def test_an_upload_that_facebook_forgot_begins_anew(page: Page) -> None:
    file = await page.video(MIB)
    of, call = publication("video", media=[file]), Memory()
    page.platform.failures = [Script(VIDEOS, THROTTLED)]
    with pytest.raises(Later):
        await page.publish(of, call)
    page.platform.lose_uploads()
    with pytest.raises(Later):
        await page.publish(of, call)
    await page.publish(of, call)
    assert next(iter(page.platform.videos.values())).sha256 == file.sha256


async def test_a_video_in_doubt_is_not_given_up_while_it_is_processed(page: Page) -> None:
    of = publication("video", media=[await page.video(MIB)])
    page.platform.processes_videos = False
    page.platform.faults.append(Fault.SERVER_ERROR_AFTER)
    with pytest.raises(Unconfirmed):
        await page.publish(of)
    with pytest.raises(Later) as waits:
        await page.channel.find(of)
    assert waits.value.after > 60
    page.platform.processes_videos = True
    posted = await page.channel.find(of)
    assert posted is not None
    assert posted.remote["post"] in page.platform.videos
    await page.withdraw(withdrawn(of), posted)
    assert page.texts() == []


async def test_a_video_is_settled_once_it_is_processed(page: Page) -> None:
    page.platform.processes_videos = False
    of = publication("video", media=[await page.video(1000)])
    posted = await page.publish(of)
    assert posted.awaiting is not None
    assert (await page.update(corrected(of), posted)).awaiting == posted.awaiting

    async def asked() -> bool:
        return page.platform.calls.count(f"GET /{posted.remote['post']}") >= 2

    await eventually(asked)
    assert page.around.settled == []
    page.platform.processes_videos = True

    async def settled() -> bool:
        return bool(page.around.settled)

    await eventually(settled)
    ((id, settlement),) = page.around.settled
    assert id == of.id
    assert settlement.posted == posted.model_copy(update={"awaiting": None})


async def test_a_video_that_facebook_could_not_process_is_said_to_be_missing(page: Page) -> None:
    page.platform.processes_videos = False
    of = publication("video", media=[await page.video(1000)])
    await page.publish(of)
    next(iter(page.platform.videos.values())).failed = True

    async def settled() -> bool:
        return bool(page.around.settled)

    await eventually(settled)
    ((_, settlement),) = page.around.settled
    assert settlement.posted is None
    assert settlement.reason is not None
    assert "не зміг обробити" in settlement.reason


async def test_without_an_app_a_video_is_a_link_and_the_preview_says_so(open_page: Open) -> None:
    page = await open_page(app_id=None)
    of = publication("video", media=[await page.video(1000)])
    assert "Завантаження відео не налаштовано" in page.channel.preview(of).problems[0]
    await page.publish(of)
    assert page.platform.shown()[0].link == f"{SITE}/{of.id}/"


async def test_the_preview_shows_what_is_posted(page: Page) -> None:
    page.around.on_site = False
    for kind in ("news", "event", "regulatory_act", "broadcast", "photo_report"):
        media = [await page.photo()] if kind == "photo_report" else []
        of = publication(kind, media=media, content={"title": f"Заголовок {kind}"})
        preview = page.channel.preview(of)
        await page.publish(of)
        post = list(page.platform.posts.values())[-1]
        assert [piece.text for piece in preview.pieces] == [post.message]
        assert len(preview.pieces[0].images) == len(post.photos)
        assert preview.problems == ()


@pytest.mark.parametrize("subcode", [0, 458, 459, 460, 463, 464, 467])
async def test_a_token_that_is_no_longer_taken_stops_the_channel_with_what_to_do(
    page: Page, subcode: int
) -> None:
    page.platform.revoked = subcode
    with pytest.raises(Halted) as prepared:
        await page.channel.prepare()
    of = publication()
    with pytest.raises(Halted) as posting:
        await page.publish(of)
    assert prepared.value.remedy == posting.value.remedy
    assert PAGE_TOKEN not in f"{posting.value} {posting.value.remedy}"
    page.platform.revoked = None
    await page.channel.prepare()
    assert await page.channel.find(of) is None
    await page.publish(of)


async def test_a_wrong_token_is_told_without_telling_it(open_page: Open) -> None:
    with pytest.raises(Halted) as wrong:
        await open_page(page_token=SecretStr("EAAB-another"))
    assert "EAAB" not in f"{wrong.value} {wrong.value.remedy}"


async def test_a_missing_permission_is_named(page: Page) -> None:
    page.platform.permissions = frozenset({"pages_read_engagement"})
    with pytest.raises(Halted) as posting:
        await page.publish(publication())
    assert "pages_manage_posts" in posting.value.remedy
    page.platform.permissions = frozenset({"pages_manage_posts"})
    of = await doubted(page, Fault.SERVER_ERROR)
    with pytest.raises(Halted) as looking:
        await page.channel.find(of)
    assert "pages_read_engagement" in looking.value.remedy


async def test_a_page_that_is_another_ones_stops_the_channel(open_page: Open) -> None:
    with pytest.raises(Halted) as unknown:
        await open_page(page_id="404")
    assert "FACEBOOK_PAGE_ID" in unknown.value.remedy


async def test_throttled_it_waits_as_long_as_facebook_says_and_lets_nothing_else_through(page: Page) -> None:
    usage = {"type": "pages", "call_count": 101, "estimated_time_to_regain_access": 3}
    headers = {"X-Business-Use-Case-Usage": json.dumps({PAGE_ID: [usage]})}
    page.platform.failures = [Script(FEED, Failure(80001, "There have been too many calls", headers=headers))]
    with pytest.raises(Later) as throttled:
        await page.publish(publication())
    assert throttled.value.after == 180
    before = len(page.platform.calls)
    with pytest.raises(Later) as other:
        await page.publish(publication(content={"title": "Інша"}))
    assert 170 < other.value.after <= 180
    assert len(page.platform.calls) == before


async def test_near_its_limits_it_slows_down_but_for_withdrawals(page: Page) -> None:
    of = publication()
    page.platform.headers = {"X-App-Usage": '{"call_count": 95, "total_time": 10, "total_cputime": 10}'}
    posted = await page.publish(of)
    with pytest.raises(Later) as slowed:
        await page.publish(publication(content={"title": "Інша"}))
    assert not slowed.value.counted
    assert slowed.value.after > 5
    await page.withdraw(withdrawn(of), posted)
    assert page.texts() == []


async def test_content_that_is_refused_is_told_in_facebooks_words(page: Page) -> None:
    of = publication()
    blocked = Failure(368, "The action attempted has been deemed abusive", user_message="Спам")
    for failure, words in (
        (Failure(1609005, "Error processing URL"), "посилання"),
        (blocked, "Спам"),
        (Failure(100, "Invalid parameter"), "Invalid parameter"),
    ):
        page.platform.failures = [Script(FEED, failure)]
        with pytest.raises(Permanent, match=words):
            await page.publish(of)
        assert await page.channel.find(of) is None


async def test_a_call_that_was_never_sent_leaves_no_doubt(open_page: Open) -> None:
    page = await open_page()
    page.channel._graph._section = page.around.given.model_copy(update={"api_url": "http://127.0.0.1:1"})
    of = publication()
    with pytest.raises(Away):
        await page.publish(of)
    page.channel._graph._section = page.around.given
    assert await page.channel.find(of) is None


async def test_calls_carry_a_proof_where_there_is_a_secret_and_no_token_in_address_or_log(
    open_page: Open, platform: FacebookPlatform, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    platform.app_secret = APP_SECRET
    page = await open_page(app_secret=SecretStr(APP_SECRET))
    of = publication("video", media=[await page.video(1000)])
    posted = await page.publish(of)
    await page.withdraw(withdrawn(of), posted)
    everything = caplog.text + "".join(platform.requests)
    assert PAGE_TOKEN not in everything
    assert APP_SECRET not in everything


async def test_what_a_person_says_is_there_can_be_corrected_and_withdrawn(page: Page) -> None:
    of = publication()
    await page.publish(of)
    (id,) = page.platform.posts
    told = Posted(remote={"post": id})
    await page.update(corrected(of, title="Нова назва"), told)
    assert page.texts()[0].startswith("Нова назва")
    for _ in range(2):
        await page.withdraw(withdrawn(of), told)
    assert page.texts() == []


async def test_the_record_of_a_post_is_forgotten_with_it(page: Page, mongo: Mongo) -> None:
    of = publication()
    before = now()
    posted = await page.publish(of)
    document = await mongo.database["facebook_posts"].find_one({"_id": of.id})
    assert document is not None
    record = Record.model_validate(document)
    assert record.post == posted.remote["post"]
    assert before - timedelta(seconds=1) < record.sent_at < now()
    await page.withdraw(withdrawn(of), posted)
    assert await mongo.database["facebook_posts"].find_one({"_id": of.id}) is None
