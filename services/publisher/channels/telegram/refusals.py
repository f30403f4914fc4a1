"""What the Bot API's errors mean. Pure; https://core.telegram.org/bots/api#making-requests.

The descriptions are those of https://github.com/tdlib/telegram-bot-api, which doesn't promise to keep them:
what isn't known counts as a refusal of this content.
"""

from http import HTTPStatus

from services.publisher.channels.interface import Halted
from shared.bus import Later, Permanent


class MessageGone(Exception):
    """There is no such message (any more)."""


class Unchangeable(Exception):
    """The message is there, and Telegram won't let the bot do that to it."""


class NotModified(Exception):
    """It says that already."""


class Refused(Permanent):
    """Telegram won't take this content."""


_SAME = ("message is not modified",)
_GONE = ("message to edit not found", "message to delete not found", "message_id_invalid")
_FIXED = (
    "message can't be deleted",
    "message can't be edited",
    "there is no caption in the message to edit",
    "there is no text in the message to edit",
    "message_delete_forbidden",
    "message_edit_time_expired",
    "message_author_required",
)
_RIGHTS = (
    "not enough rights",
    "need administrator rights",
    "have no rights",
    "chat_write_forbidden",
    "chat_admin_required",
    "chat_send_",
    "bot is not a member",
)
_NO_CHAT = (
    "chat not found",
    "chat_id is empty",
    "peer_id_invalid",
    "channel_private",
    "upgraded to a supergroup",
)
SIGN_IN_REMEDY = "Візьміть у BotFather чинний токен, запишіть його в TELEGRAM_TOKEN і перезапустіть канал."
MEMBER_REMEDY = (
    "Додайте бота адміністратором каналу з правом писати, змінювати й видаляти повідомлення, "
    "тоді відновіть канал."
)
CHAT_REMEDY = "Перевірте TELEGRAM_CHAT і чи додано бота до каналу, тоді відновіть канал."


def meaning_of(status: int, description: str) -> Exception:
    """The exception that says what an answer other than 429, 5xx and a migration means."""
    match status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.NOT_FOUND:
            return Halted("Telegram більше не приймає токена бота.", remedy=SIGN_IN_REMEDY)
        case HTTPStatus.FORBIDDEN:
            return Halted(f"Telegram не пускає бота до каналу: «{description}».", remedy=MEMBER_REMEDY)
        case HTTPStatus.CONFLICT:
            return Later(f"Telegram зайнятий іншим запитом: «{description}».")
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return Refused("Telegram не прийняв файлу: він завеликий.")
        case _:
            return _meaning_of_words(description)


def _meaning_of_words(description: str) -> Exception:
    lower = description.lower()
    internal = ((_SAME, NotModified), (_GONE, MessageGone), (_FIXED, Unchangeable))
    for words, error in internal:
        if any(each in lower for each in words):
            return error(description)
    if any(each in lower for each in _RIGHTS):
        return Halted(f"Боту бракує прав у каналі: «{description}».", remedy=MEMBER_REMEDY)
    if any(each in lower for each in _NO_CHAT):
        return Halted(f"Telegram не знаходить каналу: «{description}».", remedy=CHAT_REMEDY)
    return Refused(f"Telegram не прийняв повідомлення: «{description}».")
