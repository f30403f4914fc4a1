"""What is special about Telegram: many messages for one publication, edits that reach only so far, doubt."""

import logging
import traceback
from collections.abc import AsyncIterator

import pytest
import structlog

from services.publisher.channels.interface import Away, Halted, Posted, Unconfirmed
from services.publisher.channels.telegram import open_channel
from shared.bus import Later, Permanent
from shared.media import MediaMissing
from shared.mongo import Mongo
from shared.publication import Publication
from shared.settings import SharedSettings
from shared.vocabulary import MediaForm
from tests.platforms.platform import Fault
from tests.platforms.telegram import CHAT_ID, TOKEN, Failure
from tests.samples import corrected, withdrawn
from tests.services.publisher.channels.telegram_chat import LONG, PAGE, Memory, TelegramChat, opened

TITLE = "Тролейбус № 5"


@pytest.fixture
async def chat(shared_settings: SharedSettings, mongo: Mongo) -> AsyncIterator[TelegramChat]:
    async with opened(shared_settings, mongo.database) as chat:
        yield chat


async def test_a_text_shows_the_preview_of_its_page(chat: TelegramChat) -> None:
    posted = await chat.publish(chat.of())
    (shown,) = chat.platform.shown()
    assert shown.link == PAGE
    assert posted.url == shown.url == "https://t.me/lutsk_rada/1"
    assert posted.remote == {"chat": CHAT_ID, "messages": [1]}


async def test_a_long_text_goes_on_in_replies_as_the_preview_said(chat: TelegramChat) -> None:
    first = chat.of(body=LONG)
    await chat.publish(first)
    preview = chat.channel.preview(first)
    assert chat.texts() == [piece.text for piece in preview.pieces]
    assert len(chat.texts()) > 1
    assert all(message.reply_to == 1 for message in chat.platform.messages[1:])
    assert "буде поділено" in preview.problems[0]


async def test_of_twelve_photos_ten_make_an_album_whose_text_goes_on_below(chat: TelegramChat) -> None:
    first = chat.of(*await chat.photos(*(f"фото {n}" for n in range(12))), body=LONG)
    posted = await chat.publish(first)
    album, *more = chat.platform.shown()
    assert album.images == 10
    assert TITLE in album.text
    assert more
    assert not any(shown.images for shown in more)
    assert len(posted.remote["messages"]) == 10 + len(more)  # type: ignore[arg-type]  # a list, as it is kept
    assert any("12" in problem for problem in chat.channel.preview(first).problems)
    assert await chat.withdraw(withdrawn(first), posted) is None
    assert chat.texts() == []


async def test_a_video_is_uploaded_and_one_too_large_shows_its_still(chat: TelegramChat) -> None:
    video = await chat.file(MediaForm.VIDEO, b"v" * 3_000_000, poster=True, duration=4.2)
    await chat.publish(chat.of(video))
    (message,) = chat.platform.messages
    assert message.file is not None
    assert (message.kind, message.file.size, message.file.sha256) == ("video", 3_000_000, video.sha256)
    large = chat.of(video.model_copy(update={"size": 51 * 1024 * 1024}))
    await chat.publish(large)
    assert chat.platform.messages[-1].kind == "photo"
    assert "більше за 50 МБ" in chat.channel.preview(large).problems[0]


async def test_documents_are_replies_with_their_names(chat: TelegramChat) -> None:
    act = await chat.file(MediaForm.DOCUMENT, b"%PDF", name="рішення № 5.pdf", caption="Додаток")
    posted = await chat.publish(chat.of(act))
    assert chat.texts()[1] == "рішення № 5.pdf\nДодаток"
    assert chat.platform.messages[1].reply_to == 1
    await chat.withdraw(withdrawn(chat.of(act)), posted)


async def test_continuations_are_edited_added_and_deleted_as_the_text_changes(chat: TelegramChat) -> None:
    first = chat.of()
    posted = await chat.publish(first)
    second = corrected(first, body=LONG)
    posted = await chat.update(second, posted)
    longer = chat.texts()
    assert len(longer) == 2
    assert "Уточнено: Уточнено час." in longer[-1]
    before = len(chat.platform.calls)
    assert await chat.update(second, posted) == posted
    assert len(chat.platform.calls) == before, "nothing to change, nothing asked"
    third = corrected(second, body=LONG.replace("мосту", "шляху"))
    posted = await chat.update(third, posted)
    assert all("шляху" in text and "мосту" not in text for text in chat.texts())
    posted = await chat.update(corrected(third, body="Коротко."), posted)
    assert len(chat.texts()) == 1
    assert posted.remote["messages"] == [1]


async def test_photos_are_replaced_and_taken_out_as_far_as_an_edit_goes(chat: TelegramChat) -> None:
    a, b, c, d = await chat.photos("а", "б", "в", "г")
    first = chat.of(a, b)
    posted = await chat.publish(first)
    pictures = [message.file for message in chat.platform.messages]
    second = corrected(first, media=[a.id, c.id]).model_copy(update={"media": (a, c)})
    posted = await chat.update(second, posted)
    assert posted.note is None
    assert chat.platform.messages[0].file == pictures[0]
    assert chat.platform.messages[1].file != pictures[1]
    grown = corrected(second).model_copy(update={"media": (a, c, d)})
    posted = await chat.update(grown, posted)
    assert posted.note is not None
    assert "лише на сайті" in posted.note
    fewer = corrected(grown).model_copy(update={"media": (c,)})
    posted = await chat.update(fewer, posted)
    assert [shown.images for shown in chat.platform.shown()] == [1]
    none = corrected(fewer).model_copy(update={"media": ()})
    posted = await chat.update(none, posted)
    assert posted.note is not None
    assert "сірим тлом" in posted.note
    assert TITLE in chat.texts()[0]


async def test_what_somebody_deleted_by_hand_is_not_put_up_again(chat: TelegramChat) -> None:
    first = chat.of()
    posted = await chat.publish(first)
    chat.platform.delete_by_hand(1)
    for _ in range(2):
        posted = await chat.update(corrected(first, title="Нова назва"), posted)
        assert posted.note is not None
        assert "вручну" in posted.note
    assert chat.texts() == []
    assert await chat.withdraw(withdrawn(first), posted) is None


async def test_what_is_too_old_to_delete_is_emptied_and_says_why(chat: TelegramChat) -> None:
    act = await chat.file(MediaForm.DOCUMENT, b"%PDF", name="рішення.pdf")
    photos = await chat.photos("а", "б")
    for first in (chat.of(act), chat.of(*photos)):
        posted = await chat.publish(first)
        before = {message.file.sha256 for message in chat.platform.messages if message.file}
        chat.platform.age(49)
        chat.platform.may_delete = False
        for _ in range(2):
            left = await chat.withdraw(withdrawn(first), posted)
            assert left is not None
            assert left.note is not None
            assert "застарі" in left.note
        assert all("Дані не підтвердилися." in text and TITLE not in text for text in chat.texts())
        assert not before & {message.file.sha256 for message in chat.platform.messages if message.file}
        chat.platform.clear()
        chat.platform.may_delete = True


async def test_what_can_neither_be_deleted_nor_edited_is_left_to_a_person(chat: TelegramChat) -> None:
    first = chat.of()
    posted = await chat.publish(first)
    chat.platform.age(49)
    chat.platform.may_delete = chat.platform.may_edit = False
    with pytest.raises(Permanent, match="вручну"):
        await chat.withdraw(withdrawn(first), posted)


async def test_a_publish_that_was_put_off_goes_on_with_the_next_message(chat: TelegramChat) -> None:
    first = chat.of(body=LONG)
    chat.platform.failures.extend([None, Failure(429, "Too Many Requests: retry after 60", retry_after=60)])
    with pytest.raises(Later) as told:
        await chat.publish(first)
    assert told.value.after == 60
    found = await chat.channel.find(first)
    assert found is not None
    assert found.remote["messages"] == [1]
    await chat.publish(first)
    assert chat.platform.calls.count("sendMessage") == 1 + len(chat.texts())
    assert len(chat.texts()) == 2


async def test_a_withdrawal_finds_what_a_publish_that_was_put_off_has_sent(chat: TelegramChat) -> None:
    first = chat.of(body=LONG)
    chat.platform.failures.extend([None, Failure(429, "Too Many Requests: retry after 60", retry_after=60)])
    with pytest.raises(Later):
        await chat.publish(first)
    assert await chat.withdraw(withdrawn(first), None) is None
    assert chat.texts() == []


async def in_doubt(chat: TelegramChat, fault: Fault) -> Publication:
    """A publication whose first message is there, and whose second one nobody knows of."""
    first = chat.of(body=LONG)
    chat.platform.spared = 1
    chat.platform.faults.append(fault)
    with pytest.raises(Unconfirmed):
        await chat.publish(first)
    return first


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE, Fault.CUT_AFTER, Fault.SERVER_ERROR_AFTER])
async def test_a_continuation_in_doubt_waits_for_a_person_but_not_the_withdrawal(
    chat: TelegramChat, fault: Fault
) -> None:
    first = await in_doubt(chat, fault)
    with pytest.raises(Unconfirmed, match="продовження"):
        await chat.channel.find(first)
    second = corrected(first, title="Нова назва", body=LONG)
    found = await chat.channel.find(second)
    assert found is not None
    posted = await chat.update(second, found)
    assert "Нова назва" in chat.texts()[0]
    assert posted.note is not None
    assert "Перевірте канал" in posted.note
    gone = withdrawn(second)
    found = await chat.channel.find(gone)
    left = await chat.withdraw(gone, found)
    assert left is not None
    assert left.note is not None
    assert "Перевірте канал" in left.note
    assert all(TITLE not in text and "Нова назва" not in text for text in chat.texts())


async def test_a_person_names_what_is_there_or_has_it_sent_again(chat: TelegramChat) -> None:
    first = await in_doubt(chat, Fault.CUT_AFTER)
    posted = await chat.update(first, Posted(remote={"messages": [1, 2]}))
    assert posted.note is None
    assert posted.remote["messages"] == [1, 2]
    chat.platform.clear()
    await chat.publish(await in_doubt(chat, Fault.CUT_BEFORE))
    assert len(chat.texts()) == 2


async def test_a_first_message_in_doubt_waits_for_a_person_who_says_what_is_there(chat: TelegramChat) -> None:
    for fault, settled in ((Fault.CUT_BEFORE, None), (Fault.CUT_AFTER, Posted(url="https://t.me/rada/1"))):
        chat.platform.clear()
        chat.platform.faults.append(fault)
        first = chat.of()
        with pytest.raises(Unconfirmed):
            await chat.publish(first)
        for fact in (first, withdrawn(first)):
            with pytest.raises(Unconfirmed):
                await chat.channel.find(fact)
        if settled is not None:
            assert (await chat.update(first, settled)).remote["messages"] == [1]
        assert await chat.withdraw(withdrawn(first), settled) is None
        assert chat.texts() == []


async def test_what_is_there_under_an_unknown_number_is_not_touched_and_says_so(chat: TelegramChat) -> None:
    chat.platform.faults.append(Fault.CUT_AFTER)
    first = chat.of()
    with pytest.raises(Unconfirmed):
        await chat.publish(first)
    posted = await chat.update(first, Posted())
    assert posted.note is not None
    for call in (chat.update(corrected(first), posted), chat.withdraw(withdrawn(first), posted)):
        with pytest.raises(Permanent, match="вручну"):
            await call
    assert len(chat.texts()) == 1


async def test_a_group_that_moved_is_followed_for_good(shared_settings: SharedSettings, mongo: Mongo) -> None:
    async with opened(shared_settings, mongo.database, chat="-4001") as chat:
        chat.platform.chat_id, chat.platform.chat_type, chat.platform.username = -4001, "group", None
        await chat.channel.prepare()
        chat.platform.migrate(-1009)
        posted = await chat.publish(chat.of())
        assert posted.url == "https://t.me/c/9/1"
        again = open_channel(chat.around)
        try:
            await again.prepare()
            chat.platform.calls.clear()
            assert (await again.publish(chat.of(), Memory())).remote["chat"] == -1009
            assert chat.platform.calls == ["sendMessage"]
        finally:
            await again.close()


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        ({"revoked": True}, Halted),
        ({"kicked": True}, Halted),
        ({"may_post": False}, Halted),
        ({"username": "other"}, Halted),
    ],
)
async def test_what_only_an_operator_can_mend_is_told_before_the_first_message(
    chat: TelegramChat, spoil: dict[str, object], error: type[Halted]
) -> None:
    await chat.channel.prepare()
    for name, value in spoil.items():
        setattr(chat.platform, name, value)
    with pytest.raises(error) as told:
        await chat.channel.prepare()
    assert told.value.remedy


async def test_a_server_that_is_not_there_took_nothing(shared_settings: SharedSettings, mongo: Mongo) -> None:
    async with opened(shared_settings, mongo.database, api_url="http://127.0.0.1:9") as chat:
        for call in (chat.channel.prepare(), chat.publish(chat.of())):
            with pytest.raises(Away):
                await call


@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.name)
async def test_the_token_shows_in_no_error_and_no_log(
    chat: TelegramChat, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await chat.channel.prepare()
    chat.platform.retry_after = 60
    told = ""
    with structlog.testing.capture_logs() as logs:
        chat.platform.faults.append(fault)
        try:
            await chat.publish(chat.of())
        except Exception as error:  # noqa: BLE001  # whichever it is
            told = "".join(traceback.format_exception(error)) + repr(error)
    assert told
    secret = TOKEN.partition(":")[2]
    # The stand-in runs in this process, and its server logs the paths it is asked for.
    logged = [record.getMessage() for record in caplog.records if record.name != "aiohttp.access"]
    for text in (told, repr(logged), repr(logs), repr(chat.around.given)):
        assert secret not in text


async def test_a_refusal_that_names_the_token_is_told_without_it(chat: TelegramChat) -> None:
    chat.platform.failures.append(Failure(400, f"Bad Request: strange {TOKEN}"))
    with pytest.raises(Permanent) as told:
        await chat.publish(chat.of())
    assert "strange" in str(told.value)
    assert TOKEN not in str(told.value)


async def test_a_file_that_breaks_off_is_no_message_and_no_doubt(
    chat: TelegramChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def chunks(key: str, *, start: int = 0) -> AsyncIterator[bytes]:
        del key, start
        yield b"v" * 100_000
        raise MediaMissing("Файл ще готується.")

    first = chat.of(await chat.file(MediaForm.VIDEO, b"v" * 300_000))
    with monkeypatch.context() as patched:
        patched.setattr(chat.around.media, "chunks", chunks)
        with pytest.raises(MediaMissing):
            await chat.publish(first)
    assert chat.texts() == []
    assert await chat.channel.find(first) is None
    await chat.publish(first)
    assert chat.platform.shown()[0].video


async def test_a_rendition_that_is_not_made_yet_is_waited_for(chat: TelegramChat) -> None:
    (photo,) = await chat.photos("а")
    await chat.around.media.delete_all(photo.sha256)
    with pytest.raises(MediaMissing):
        await chat.publish(chat.of(photo))
    assert chat.platform.calls == ["getChat"]


async def test_a_continuation_that_is_refused_is_told_on_the_receipt(chat: TelegramChat) -> None:
    act = await chat.file(MediaForm.DOCUMENT, b"%PDF")
    chat.platform.failures.extend([None, Failure(400, "Bad Request: wrong file")])
    posted = await chat.publish(chat.of(act))
    assert posted.note is not None
    assert "wrong file" in posted.note
    assert len(chat.texts()) == 1
