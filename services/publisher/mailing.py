"""Mail that channels send: packages to an editor, a rundown to a station. A few a day, each by itself."""

from email.message import EmailMessage
from email.utils import format_datetime, formataddr, make_msgid

from aiosmtplib import (
    SMTPException,
    SMTPReadTimeoutError,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPServerDisconnected,
)

from services.publisher.channels.interface import Unconfirmed
from shared.bus import Later, Permanent
from shared.events import now
from shared.settings import MailSettings
from shared.smtp import connect

_LASTING = range(500, 600)
_REFUSED = "Поштовий сервер відмовився прийняти листа"
_AWAY = "Поштовий сервер не відповідає."


class Post:
    """Hands over one mail at a time, over a connection of its own."""

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings

    async def send(self, message: EmailMessage) -> None:
        """Return when the mail server has taken it for every recipient.

        Raises `Later` where it certainly didn't, `Permanent` where it never will, and `Unconfirmed`
        where the connection broke after the mail was sent.
        """
        settings = self._settings
        if "From" not in message:
            message["From"] = formataddr((settings.sender_name, settings.sender))
        if "Date" not in message:
            message["Date"] = format_datetime(now())
        if "Message-ID" not in message:
            message["Message-ID"] = make_msgid(domain=settings.domain)
        try:
            client = await connect(settings)
        except (SMTPException, OSError, ValueError) as error:
            raise Later(_AWAY) from error
        try:
            await client.send_message(message, sender=settings.sender)
        except SMTPRecipientsRefused as error:
            codes = [refused.code for refused in error.recipients]
            raise _refusal(codes[0] if codes else 550, str(error)) from error
        except SMTPResponseException as error:
            raise _refusal(error.code, error.message) from error
        except (SMTPReadTimeoutError, SMTPServerDisconnected) as error:
            raise Unconfirmed("Невідомо, чи поштовий сервер прийняв листа.") from error
        except (SMTPException, OSError) as error:
            raise Later(_AWAY) from error
        finally:
            client.close()


def _refusal(code: int, text: str) -> Exception:
    said = f"{_REFUSED}: {code} {' '.join(text.split())[:200]}"
    return Permanent(said) if code in _LASTING else Later(said)
