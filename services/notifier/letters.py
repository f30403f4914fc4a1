"""The mails as bytes: rendered once a publication, with each recipient's parts filled in.

Building a MIME message costs ten times what filling one in does. Bodies are base64, cut around the
unsubscribe token at a multiple of three bytes, so that a recipient's token is encoded by itself.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from email.header import Header
from email.utils import format_datetime
from functools import lru_cache
from pathlib import Path

from css_inline import CSSInliner
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from services.notifier.body import to_html, to_text
from services.notifier.facts import day, facts_of, short_hour
from services.notifier.records import Mail, Purpose
from services.notifier.settings import Settings
from shared.events import now
from shared.publication import Contact, Publication
from shared.vocabulary import KIND_NAMES, Urgency

TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")
_ID = re.compile(r"[0-9a-f]{40}")
_ADDRESS = re.compile(r"[!-;=?-~]+@[A-Za-z0-9.-]+")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_EOL = "\r\n"
_PART = b'\r\n--%s\r\nContent-Type: text/%s; charset="utf-8"\r\nContent-Transfer-Encoding: base64\r\n\r\n%s'
_LINE = 57  # bytes that make a base64 line of 76

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_INLINER = CSSInliner(
    load_remote_stylesheets=False, keep_style_tags=False, keep_at_rules=True, apply_width_attributes=False
)


class _Part:
    """A body in base64 with a hole of the token's length in it."""

    def __init__(self, rendered: str, place: str) -> None:
        pieces = rendered.replace("\r\n", "\n").replace("\n", "\r\n").split(place)
        if len(pieces) != 2:  # noqa: PLR2004  # before and after
            raise ValueError("a mail must name its unsubscribe link exactly once")
        before, after = (piece.encode() for piece in pieces)
        cut = len(before) - len(before) % 3
        rest = -(len(before) - cut + len(place)) % 3
        self._head = _base64(before[:cut])
        self._left, self._right = before[cut:], after[:rest]
        self._tail = _base64(after[rest:])

    def filled(self, token: bytes) -> bytes:
        middle = base64.b64encode(self._left + token + self._right)
        return b"".join((self._head, middle, b"\r\n", self._tail))


def _base64(data: bytes) -> bytes:
    lines = (data[start : start + _LINE] for start in range(0, len(data), _LINE))
    return b"".join(base64.b64encode(line) + b"\r\n" for line in lines)


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail's text, to be filled in for each recipient."""

    subject: str
    text: str
    html: str
    _headers: bytes
    _boundary: bytes
    _plain: _Part
    _rich: _Part
    _settings: Settings

    def filled(self, mail: Mail) -> bytes:
        """The message as it goes to one recipient, lines ending with CRLF.

        Nothing of a recipient's reaches a header unchecked: ids and tokens are of a fixed alphabet,
        name and address go through the standard library. Raises `ValueError` otherwise.
        """
        if not _ID.fullmatch(mail.id) or not TOKEN.fullmatch(mail.token):
            raise ValueError(f"the mail {mail.id!r} has an id or token that no header can carry")
        token = mail.token.encode()
        return b"".join(
            (
                _to(mail.name, mail.address),
                self._own_headers(mail).encode("ascii"),
                self._headers,
                _PART % (self._boundary, b"plain", self._plain.filled(token)),
                _PART % (self._boundary, b"html", self._rich.filled(token)),
                b"\r\n--%s--\r\n" % self._boundary,
            )
        )

    def _own_headers(self, mail: Mail) -> str:
        settings = self._settings
        lines = [f"Message-ID: <{mail.id}@{settings.domain}>"]
        if mail.answers is not None and _ID.fullmatch(mail.answers):
            lines.extend(
                f"{name}: <{mail.answers}@{settings.domain}>" for name in ("In-Reply-To", "References")
            )
        # On one line each, though long: folded ones break some checks of DKIM signatures.
        link = f"<{unsubscribe_link(settings, mail.token)}>"
        if settings.unsubscribe_mailbox is not None:
            link += f", <mailto:{settings.unsubscribe_mailbox}?subject=unsubscribe>"
        lines.append(f"List-Unsubscribe: {link}")
        lines.append("List-Unsubscribe-Post: List-Unsubscribe=One-Click")
        return "\r\n".join(lines) + "\r\n"


def unsubscribe_link(settings: Settings, token: str) -> str:
    """Where a recipient unsubscribes; it names no address."""
    return f"{settings.url}/unsubscribe/{token}"


@lru_cache(maxsize=20_000)
def _to(name: str, address: str) -> bytes:
    return _mailbox("To", name, address)


def _mailbox(header: str, name: str, address: str) -> bytes:
    """A header line with somebody's name and address."""
    if not _ADDRESS.fullmatch(address):
        raise ValueError(f"{address!r} can't stand in a header")
    return f"{_text(header, name)} <{address}>\r\n".encode("ascii")


def _text(header: str, text: str) -> str:
    """A header with any text in it, folded, without the last line's end.

    By the older of the standard library's two encoders: the newer one of Python 3.11 drops spaces
    between words that it encodes one by one.
    """
    line = _CONTROLS.sub(" ", text)
    return f"{header}: {Header(line, 'utf-8', header_name=header).encode(linesep=_EOL)}"


def compose(
    settings: Settings, publication: Publication, purpose: Purpose, *, since: int = 0, renewed: bool = False
) -> Letter:
    """Render a mail about a publication. `since`: the revision that a correction's recipients have."""
    content = publication.content
    until = content.embargo_until
    embargo = short_hour(until) if purpose is Purpose.ADVANCE and until is not None else None
    correction = purpose is Purpose.CORRECTION
    subject = _prefix(purpose, embargo, renewed=renewed) + content.title
    context = _shown(publication) | {
        "subject": subject,
        "embargo": embargo,
        "renewed": renewed,
        "corrections": [one.note for one in publication.corrections if correction and one.revision > since],
        "withdrawal": publication.withdrawal.reason
        if purpose is Purpose.WITHDRAWAL and publication.withdrawal is not None
        else None,
    }
    return _letter(settings, subject, "letter", context, contact=content.contact, urgency=content.urgency)


def _prefix(purpose: Purpose, embargo: str | None, *, renewed: bool) -> str:
    if embargo is not None:
        return f"ЕМБАРГО до {embargo} — {'ОНОВЛЕНО: ' if renewed else ''}"
    if purpose is Purpose.CORRECTION:
        return "ВИПРАВЛЕННЯ: "
    if purpose is Purpose.WITHDRAWAL:
        return "ВІДКЛИКАНО: "
    return "ОНОВЛЕНО: " if renewed else ""


def compose_digest(settings: Settings, publications: Sequence[Publication], on: date) -> Letter:
    """Render the digest of one local day."""
    headline = _how_many(len(publications))
    subject = f"Дайджест за {day(on)}: {headline}"
    context: dict[str, object] = {
        "subject": subject,
        "day": day(on),
        "headline": headline[0].upper() + headline[1:],
        "items": [_shown(publication) for publication in publications],
    }
    return _letter(settings, subject, "digest", context)


def _how_many(number: int) -> str:
    """`1 публікація`, `3 публікації`, `11 публікацій`."""
    few = range(2, 5)
    if number % 10 == 1 and number % 100 != 11:  # noqa: PLR2004  # Ukrainian plurals
        return f"{number} публікація"
    if number % 10 in few and number % 100 not in range(12, 15):
        return f"{number} публікації"
    return f"{number} публікацій"


def _shown(publication: Publication) -> dict[str, object]:
    content = publication.content
    return {
        "kind": KIND_NAMES[content.kind],
        "department": publication.department.name,
        "title": content.title,
        "lead": content.lead,
        "facts": facts_of(content),
        "body_html": to_html(content.body),
        "body_text": to_text(content.body),
        "contact": content.contact,
        "corrected": bool(publication.corrections),
    }


def _letter(
    settings: Settings,
    subject: str,
    template: str,
    context: dict[str, object],
    *,
    contact: Contact | None = None,
    urgency: Urgency = Urgency.ROUTINE,
) -> Letter:
    # Stands for a recipient's token: as long, and in nobody's text, since nobody can know it before.
    place = secrets.token_hex(16)
    frame = {
        "sender_name": settings.sender_name,
        "unsubscribe": unsubscribe_link(settings, place),
    }
    text = _TEMPLATES.get_template(f"{template}.txt").render(context | frame)
    html = _INLINER.inline(_TEMPLATES.get_template(f"{template}.html").render(context | frame))
    boundary = f"=_{hashlib.sha256(html.encode()).hexdigest()[:32]}"
    return Letter(
        subject=subject,
        text=text,
        html=html,
        _headers=_headers(settings, subject, contact, urgency, boundary),
        _boundary=boundary.encode(),
        _plain=_Part(text, place),
        _rich=_Part(html, place),
        _settings=settings,
    )


def _headers(
    settings: Settings, subject: str, contact: Contact | None, urgency: Urgency, boundary: str
) -> bytes:
    """The headers that all recipients share, and the empty line after them."""
    lines = [
        _mailbox("From", settings.sender_name, settings.sender),
        _text("Subject", subject).encode("ascii") + b"\r\n",
    ]
    if contact is not None and contact.email is not None and _ADDRESS.fullmatch(contact.email):
        lines.append(_mailbox("Reply-To", contact.name, contact.email))
    plain = {
        "Date": format_datetime(now()),
        "List-Id": f"<{settings.list_id or 'media.' + settings.domain}>",
        "Auto-Submitted": "auto-generated",
        "Precedence": "bulk",
        "MIME-Version": "1.0",
        "Content-Type": f'multipart/alternative; boundary="{boundary}"',
    }
    if urgency is Urgency.EMERGENCY:
        plain["Importance"] = "high"
    lines.extend(f"{name}: {value}\r\n".encode("ascii") for name, value in plain.items())
    return b"".join(lines)
