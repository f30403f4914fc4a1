"""What is special about YouTube: uploads that go on, the day's quota, processing, words that nobody loses."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest
import structlog

from services.publisher.channels.interface import Away, Halted, Posted, Unconfirmed
from services.publisher.channels.youtube.quota import Quota, QuotaSpent
from services.publisher.channels.youtube.settings import MIB
from shared.bus import Later, Permanent
from shared.events import new_id
from shared.media import ImageFormat, rendition_key
from shared.mongo import Mongo
from shared.publication import MediaFile
from shared.settings import SharedSettings
from shared.vocabulary import MediaForm
from tests.platforms.platform import Fault, Running, run
from tests.platforms.youtube import CLIENT_SECRET, REFRESH_TOKEN, YoutubePlatform
from tests.samples import corrected, publication, withdrawn
from tests.services.publisher.channels.youtube_account import PAGE, Account, opened
from tests.services.publisher.stands.youtube import kept_video, section_for
from tests.waiting import eventually

Open = Callable[..., Awaitable[Account]]
SESSION, PART = "POST /upload/youtube/v3/videos", "PUT /upload/youtube/v3/videos"


@pytest.fixture
async def world() -> AsyncIterator[Running]:
    running = await run(YoutubePlatform())
    yield running
    await running.stop()


@pytest.fixture
def platform(world: Running) -> YoutubePlatform:
    assert isinstance(world.platform, YoutubePlatform)
    return world.platform


@pytest.fixture
async def open_account(shared_settings: SharedSettings, mongo: Mongo, world: Running) -> AsyncIterator[Open]:
    """Start a process with the channel; a second call is another process."""
    async with AsyncExitStack() as stack:

        async def start(**fields: object) -> Account:
            return await stack.enter_async_context(opened(shared_settings, mongo.database, world, **fields))

        yield start


@pytest.fixture
async def account(open_account: Open) -> Account:
    return await open_account()


async def test_a_video_is_shown_with_the_words_and_the_link_of_its_publication(account: Account) -> None:
    first = await account.video(content={"title": "Сесія <8> скликання"})
    posted = await account.publish(first)
    (video,) = account.platform.videos.values()
    assert posted.url == f"https://www.youtube.com/watch?v={video.id}"
    assert video.snippet["title"] == "Сесія ‹8› скликання"
    assert PAGE in video.snippet["description"]
    assert str(first.id) in video.snippet["description"]
    assert video.snippet["tags"] == ["транспорт"]
    assert video.snippet["categoryId"] == "25"
    assert video.snippet["defaultLanguage"] == "uk"
    assert video.status["selfDeclaredMadeForKids"] is False
    assert video.status["embeddable"] is True
    assert video.status["privacyStatus"] == "public"
    assert (video.size, video.sha256) == (1000, hashlib.sha256(b"a" * 1000).hexdigest())


async def test_a_correction_keeps_what_others_changed_and_says_what_it_is(account: Account) -> None:
    first = await account.video()
    posted = await account.publish(first)
    (video,) = account.platform.videos.values()
    video.snippet |= {"tags": ["Луцьк", *video.snippet["tags"]], "categoryId": "22"}
    video.status |= {"license": "creativeCommon", "publicStatsViewable": False}
    second = corrected(first, title="Нова назва")
    after = await account.update(second, posted)
    assert after.remote == posted.remote
    assert video.snippet["title"] == "Нова назва"
    assert video.snippet["tags"] == ["транспорт", "Луцьк"]
    assert video.snippet["categoryId"] == "22"
    assert video.status["license"] == "creativeCommon"
    assert "Уточнено" in video.snippet["description"]
    assert "Уточнено час." in video.snippet["description"]
    spent = account.platform.calls.count("PUT /youtube/v3/videos")
    await account.update(second, after)
    assert account.platform.calls.count("PUT /youtube/v3/videos") == spent, "nothing to change, no units"


async def test_what_is_withdrawn_is_private_and_not_deleted(account: Account) -> None:
    first = await account.video()
    posted = await account.publish(first)
    (video,) = account.platform.videos.values()
    video.status["license"] = "creativeCommon"
    for _ in range(2):
        await account.withdraw(withdrawn(first), posted)
    assert account.platform.shown() == []
    assert video.status["privacyStatus"] == "private"
    assert video.status["license"] == "creativeCommon"
    del account.platform.videos[video.id]
    await account.withdraw(withdrawn(first), posted)


async def test_an_upload_goes_on_after_its_connection_was_cut(account: Account) -> None:
    account.platform.cut_after = 2 * MIB + 300_000
    first = await account.video(5 * MIB + 17)
    await account.publish(first)
    (video,) = account.platform.videos.values()
    assert (video.size, video.sha256) == (first.media[0].size, first.media[0].sha256)
    assert account.platform.bytes_taken < 6 * MIB, "at most the chunk that was on its way comes twice"
    assert account.platform.calls.count(SESSION) == 1


async def test_an_upload_goes_on_after_a_server_error_in_the_middle(account: Account) -> None:
    account.platform.busy_after = 2 * MIB
    first = await account.video(3 * MIB + 17)
    await account.publish(first)
    (video,) = account.platform.videos.values()
    assert video.sha256 == first.media[0].sha256
    assert account.platform.bytes_taken == first.media[0].size, "what arrived before the error counts"


async def test_an_upload_that_is_whole_is_waited_for(account: Account) -> None:
    account.platform.hesitates = 2
    first = await account.video()
    await account.publish(first)
    assert account.platform.bytes_taken == 1000, "no byte twice"
    assert len(account.platform.videos) == 1


async def test_an_upload_goes_on_with_a_new_access_token(account: Account) -> None:
    first = await account.video()
    await account.publish(first)
    account.platform.expire_tokens()
    second = await account.video(of=b"b")
    await account.publish(second)
    assert len(account.platform.videos) == 2


async def test_a_long_upload_makes_room_for_others_and_is_continued_by_the_next_process(
    open_account: Open, platform: YoutubePlatform
) -> None:
    first_process = await open_account(slice=0)
    first = await first_process.video(3 * MIB)
    for percent in (33, 66):
        with pytest.raises(Later, match=f"передано {percent} %") as later:
            await first_process.publish(first)
        assert not later.value.counted
    second_process = await open_account()
    posted = await second_process.publish(first)
    assert posted.url is not None
    assert platform.bytes_taken == 3 * MIB
    assert platform.calls.count(SESSION) == 1
    assert platform.calls.count(PART) == 6, "a question and a part in each of three calls"


async def test_a_session_that_is_lost_before_the_last_bytes_is_begun_anew(
    open_account: Open, platform: YoutubePlatform
) -> None:
    account = await open_account(slice=0)
    first = await account.video(2 * MIB)
    with pytest.raises(Later):
        await account.publish(first)
    platform.lose_sessions()
    patient = await open_account()
    await patient.publish(first)
    assert platform.calls.count(SESSION) == 2
    assert "GET /youtube/v3/playlistItems" not in platform.calls, "no video can have come of it"
    assert len(platform.videos) == 1


async def test_a_video_whose_session_is_lost_with_the_answer_is_found_among_the_uploads(
    open_account: Open, platform: YoutubePlatform
) -> None:
    """And as long as the list may be behind, nothing is sent again."""
    account = await open_account(listing_delay=3600)
    first, other = await account.video(), await account.video(of=b"b")
    await account.publish(other)
    platform.faults.append(Fault.CUT_AFTER)
    platform.forgets_whole, platform.lists_uploads = True, False
    for _ in range(2):
        with pytest.raises(Unconfirmed):
            await account.publish(first)
    platform.lists_uploads = True
    posted = await account.publish(first)
    assert posted.remote == {"video": list(platform.videos)[1]}
    assert platform.calls.count(SESSION) == 2, "one for each publication"


async def test_a_withdrawal_that_overtakes_an_upload_leaves_nothing_up(
    open_account: Open, platform: YoutubePlatform
) -> None:
    account = await open_account(slice=0)
    half, whole = await account.video(2 * MIB), await account.video()
    with pytest.raises(Later):
        await account.publish(half)
    platform.faults.append(Fault.HANGS_AFTER)
    dying = asyncio.create_task(account.publish(whole))

    async def taken() -> bool:
        return bool(platform.videos)

    await eventually(taken)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    for each in (half, whole):
        await account.withdraw(withdrawn(each), None)
    assert platform.shown() == []
    assert (await account.record(half)).session is None


async def test_a_withdrawal_waits_for_the_video_that_a_whole_upload_becomes(account: Account) -> None:
    first = await account.video()
    account.platform.hesitates = 1_000
    with pytest.raises(Unconfirmed):
        await account.publish(first)
    account.platform.hesitates = 2
    await account.withdraw(withdrawn(first), None)
    (video,) = account.platform.videos.values()
    assert video.status["privacyStatus"] == "private"


async def test_another_file_is_another_video_and_the_former_one_is_hidden(account: Account) -> None:
    first = await account.video()
    posted = await account.publish(first)
    newer = await kept_video(account.around.media, b"c" * 2000)
    second = corrected(first, title="З новим файлом").model_copy(update={"media": (newer,)})
    after = await account.update(second, posted)
    assert after.remote != posted.remote
    (shown,) = account.platform.shown()
    assert "З новим файлом" in shown.text
    await account.withdraw(withdrawn(second), after)
    assert account.platform.shown() == []


async def test_a_video_deleted_by_somebody_is_not_sent_again_by_itself(account: Account) -> None:
    first = await account.video()
    posted = await account.publish(first)
    account.platform.videos.clear()
    with pytest.raises(Permanent, match="видалено"):
        await account.update(corrected(first), posted)


async def test_the_first_photograph_becomes_the_picture_of_the_video(account: Account) -> None:
    photo = MediaFile(
        id=new_id(), form=MediaForm.PHOTO, media_type="image/jpeg", sha256="ab" * 32, size=9, alt="Зала",
        width=4000, height=3000,
    )  # fmt: skip
    first = await account.video(beside=(photo,))
    with pytest.raises(Later):
        await account.publish(first)
    assert SESSION not in account.platform.calls, "the upload waits for the picture"
    for width, jpeg in ((1600, bytes(3 * MIB)), (960, b"\xff\xd8small")):
        await write(account, rendition_key(photo, width=width, format=ImageFormat.JPEG), jpeg)
    posted = await account.publish(first)
    (shown,) = account.platform.shown()
    assert shown.images == 1, "the widest that is within the limit"
    assert posted.note is None
    await account.update(corrected(first), posted)
    assert account.platform.calls.count("POST /upload/youtube/v3/thumbnails/set") == 1


async def test_a_picture_that_is_refused_does_not_keep_the_video_from_being_shown(account: Account) -> None:
    photo = MediaFile(
        id=new_id(), form=MediaForm.PHOTO, media_type="image/jpeg", sha256="cd" * 32, size=9, alt="Зала",
        width=800, height=600,
    )  # fmt: skip
    first = await account.video(beside=(photo,))
    await write(account, rendition_key(photo, width=800, format=ImageFormat.JPEG), b"")
    posted = await account.publish(first)
    assert len(account.platform.shown()) == 1
    assert posted.note is not None
    assert "Обкладинку" in posted.note


async def write(account: Account, key: str, content: bytes) -> None:
    async def blocks() -> AsyncIterator[bytes]:
        yield content

    await account.around.media.delete(key)
    await account.around.media.write(key, blocks())


@pytest.mark.parametrize(
    ("status", "reason", "says"),
    [
        ("processed", None, None),
        ("rejected", "duplicate", "таке саме відео"),
        ("rejected", "length", "задовге"),
        ("rejected", "claim", "чужим"),
        ("failed", "codec", "кодек"),
    ],
)
async def test_what_youtube_makes_of_a_video_is_told_when_it_is_known(
    status: str, reason: str | None, says: str | None, open_account: Open, platform: YoutubePlatform
) -> None:
    """By whichever process runs then."""
    platform.upload_status = "uploaded"
    account = await open_account()
    first = await account.video()
    posted = await account.publish(first)
    assert posted.awaiting == "YouTube обробляє відео."
    later = datetime.now(UTC) + timedelta(minutes=1)
    another = await open_account()
    await another.channel.watch.look(later)
    assert another.around.settled == []
    platform.finish(str(posted.remote["video"]), status, reason)
    await another.channel.watch.look(later + timedelta(hours=1))
    ((id, settlement),) = another.around.settled
    assert id == first.id
    if says is None:
        assert settlement.posted is not None
        assert settlement.posted.url == posted.url
    else:
        assert settlement.posted is None
        assert settlement.reason is not None
        assert says in settlement.reason
    await another.channel.watch.look(later + timedelta(hours=2))
    assert len(another.around.settled) == 1


async def test_an_upload_that_an_unaudited_project_may_not_show_is_told(account: Account) -> None:
    account.platform.audited = False
    posted = await account.publish(await account.video())
    assert account.platform.shown() == []
    assert posted.note is not None
    assert "перевірки" in posted.note


@pytest.mark.parametrize(
    ("status", "reason"), [(403, "quotaExceeded"), (400, "uploadLimitExceeded"), (403, "dailyLimitExceeded")]
)
async def test_a_quota_that_youtube_calls_spent_is_waited_for(
    status: int, reason: str, account: Account
) -> None:
    first = await account.video()
    account.platform.errors.append((status, reason))
    with pytest.raises(QuotaSpent, match=r"Продовжимо \d+ \w+ о \d\d:00") as spent:
        await account.publish(first)
    assert not spent.value.counted
    asked = len(account.platform.calls)
    with pytest.raises(QuotaSpent):
        await account.publish(first)
    assert len(account.platform.calls) == asked, "not asked again so soon"


async def test_no_more_is_uploaded_in_a_day_than_the_settings_allow(open_account: Open) -> None:
    account = await open_account(uploads_per_day=1)
    await account.publish(await account.video())
    with pytest.raises(QuotaSpent):
        await account.publish(await account.video(of=b"b"))
    assert len(account.platform.videos) == 1


async def test_withdrawals_may_spend_the_units_kept_for_them(open_account: Open) -> None:
    account = await open_account(units_per_day=100, units_kept=100)
    first = await account.video()
    posted = await account.publish(first)
    with pytest.raises(QuotaSpent):
        await account.update(corrected(first, title="Інша назва"), posted)
    await account.withdraw(withdrawn(first), posted)
    assert account.platform.shown() == []


async def test_the_quota_begins_anew_at_midnight_pacific(mongo: Mongo) -> None:
    at = datetime(2026, 11, 24, 7, 59, tzinfo=UTC)
    quota = Quota(mongo.database, section_for("", units_per_day=100, units_kept=0), lambda: at)
    await quota.spend(99)
    await quota.spend(1)
    with pytest.raises(QuotaSpent) as spent:
        await quota.spend(1)
    assert spent.value.after == 60
    assert "24 листопада о 10:00" in str(spent.value)
    at += timedelta(minutes=1)
    await quota.spend(100)


async def test_calls_at_the_same_time_do_not_spend_more_than_there_is(mongo: Mongo) -> None:
    quota = Quota(mongo.database, section_for("", units_per_day=10, units_kept=0))
    spent = await asyncio.gather(*(quota.spend(1) for _ in range(20)), return_exceptions=True)
    assert sum(error is None for error in spent) == 10
    assert all(error is None or isinstance(error, QuotaSpent) for error in spent)


@pytest.mark.parametrize(
    ("status", "reason", "raised"),
    [
        (400, "invalidDescription", Permanent),
        (403, "forbiddenPrivacySetting", Permanent),
        (403, "forbidden", Halted),
        (403, "insufficientPermissions", Halted),
        (403, "authenticatedUserAccountSuspended", Halted),
        (403, "userRateLimitExceeded", Later),
        (429, "rateLimitExceeded", Later),
        (500, "backendError", Away),
        (503, "backendError", Away),
    ],
)
async def test_refusals_are_sorted_by_what_can_be_done(
    status: int, reason: str, raised: type[Exception], account: Account
) -> None:
    first = await account.video()
    account.platform.errors.append((status, reason))
    with pytest.raises(raised) as error:
        await account.publish(first)
    assert type(error.value) is raised
    assert account.platform.shown() == []


async def test_a_revoked_permission_stops_the_channel_and_says_what_to_do(account: Account) -> None:
    account.platform.grants_refused = 1
    with pytest.raises(Halted) as halted:
        await account.channel.prepare()
    assert "YOUTUBE_REFRESH_TOKEN" in halted.value.remedy
    await account.channel.prepare()


async def test_no_secret_is_logged_or_told(account: Account, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    account.platform.cut_after = 500
    account.platform.grants_refused = 1
    with structlog.testing.capture_logs() as logged, pytest.raises(Halted) as halted:
        await account.channel.prepare()
    first = await account.video()
    posted = await account.publish(first)
    said = f"{logged} {halted.value} {halted.value.remedy} {posted}" + "".join(
        record.getMessage() for record in caplog.records if record.levelname not in ("DEBUG", "INFO")
    )
    assert not re.search(rf"{CLIENT_SECRET}|{re.escape(REFRESH_TOKEN)}|ya29|upload_id", said)


async def test_a_person_who_found_the_video_is_believed(account: Account) -> None:
    first = await account.video()
    await account.publish(first)
    (id,) = account.platform.videos
    await account.around.database["youtube_posts"].delete_many({})
    await account.update(corrected(first, title="Інша назва"), Posted(remote={"video": id}))
    (text,) = account.texts()
    assert "Інша назва" in text


async def test_the_preview_shows_what_will_stand_there(account: Account) -> None:
    first = await account.video(content={"title": "Довга назва " * 12, "body": "Слово " * 1000})
    preview = account.channel.preview(first)
    await account.publish(first)
    (video,) = account.platform.videos.values()
    (piece,) = preview.pieces
    assert video.snippet["title"] in piece.text
    words = video.snippet["description"].split("…")[0]
    assert words in piece.text
    assert "транспорт" in piece.text
    assert piece.video == "sesiya.mp4"
    assert len(preview.problems) == 2, "the title and the text are too long"


@pytest.mark.parametrize(
    ("kind", "changed", "refusal"),
    [
        ("news", {}, "лише відеосюжети"),
        ("video", {"media": ()}, "не має відеофайла"),
        ("video", {"duration": 13 * 3600.0}, "12 годин"),
        ("video", {"size": 257 * 1024**3}, "256 ГБ"),
        ("video", {}, None),
    ],
)
async def test_what_it_does_not_take_is_said_before(
    kind: str, changed: dict[str, object], refusal: str | None, account: Account
) -> None:
    file = (
        (await account.video())
        .media[0]
        .model_copy(update={key: value for key, value in changed.items() if key != "media"})
    )
    said = account.channel.takes(publication(kind, media=changed.get("media", (file,))))
    assert (said is None) if refusal is None else (said is not None and refusal in said)
