"""The templates of a rundown's pages and mails."""

from collections.abc import Callable
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from services.publisher.channels.rundown import wording
from services.publisher.channels.rundown.airing import Airing
from services.publisher.channels.rundown.letters import News

_CALENDAR = {"charset": "utf-8", "method": "PUBLISH"}
_ENVIRONMENT = Environment(
    loader=PackageLoader("services.publisher.channels.rundown"),
    autoescape=select_autoescape(("html",)),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters |= {
    "hour": wording.hour,
    "weekday_hour": wording.weekday_hour,
    "guest": wording.guest,
    "day": wording.day,
}
_ENVIRONMENT.globals["STATES"] = wording.STATES


def render(template: str, **given: object) -> str:
    """One page or one body of a mail."""
    return _ENVIRONMENT.get_template(template).render(**given)


def mail(
    *,
    station: str,
    to: tuple[str, ...],
    message_id: str,
    at: datetime,
    changes: list[News],
    coming: list[Airing],
    asked: list[Airing],
    link: Callable[[Airing], str],
    ics: bytes,
    weekly: bool,
) -> bytes:
    """The mail, whole, as it will be sent however often that has to be tried."""
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    message["Subject"] = f"Програма ефірів: {station}" if weekly else f"Зміни у програмі ефірів: {station}"
    message["To"] = tuple(Address(addr_spec=address) for address in to)
    message["Date"] = at
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"
    given = {"station": station, "changes": changes, "coming": coming, "asked": asked, "weekly": weekly}
    message.set_content(render("mail.txt", link=link, **given))
    message.add_alternative(render("mail.html", link=link, **given), subtype="html")
    message.add_attachment(ics, maintype="text", subtype="calendar", filename="rundown.ics", params=_CALENDAR)
    return message.as_bytes()
