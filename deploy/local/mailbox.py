"""Caught mails: an .eml file each in one folder, with an index in memory."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import EmailMessage, MIMEPart
from email.parser import BytesParser
from email.policy import default
from email.utils import getaddresses, parsedate_to_datetime
from pathlib import Path
from typing import Literal, cast

from uuid_utils import UUID, uuid7

from deploy.local.mailpit import Attachment, Checksums, ListUnsubscribe, Mail, MailAddress, MailSummary

SNIPPET_LENGTH = 250
_PARSER = BytesParser(policy=default)


class MailNotFoundError(KeyError):
    """There is no mail with this id."""


class Mailbox:
    """All mails that were caught, oldest first in the folder's order of names."""

    def __init__(self, folder: Path) -> None:
        """Go on with what the folder holds; it is made if missing."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        # None until somebody looks: to parse a mail costs more than to take it.
        self._summaries: dict[str, MailSummary | None] = dict.fromkeys(
            sorted(path.stem for path in folder.glob("*.eml"))
        )
        self._read: set[str] = set()

    def add(self, sender: str, recipients: Sequence[str], content: bytes) -> str:
        """Keep one mail with its envelope in the headers Return-Path and Delivered-To; returns its id."""
        mail_id = uuid7().hex
        envelope = [f"Return-Path: <{sender}>", *(f"Delivered-To: {recipient}" for recipient in recipients)]
        kept = "".join(f"{line}\r\n" for line in envelope).encode() + content
        unfinished = self.folder / f"{mail_id}.new"
        unfinished.write_bytes(kept)
        unfinished.rename(self._path(mail_id))
        self._summaries[mail_id] = None
        return mail_id

    def __len__(self) -> int:
        return len(self._summaries)

    @property
    def unread(self) -> int:
        """How many have not been opened since the start."""
        return len(self._summaries) - len(self._read)

    def newest(self, *, words: str = "") -> Iterator[MailSummary]:
        """Newest first; with ``words`` only those that have them in sender, recipients or subject."""
        wanted = words.casefold().split()
        for mail_id in reversed(self._summaries):
            mail = self._summary(mail_id)
            if not wanted or all(word in _searched(mail) for word in wanted):
                yield mail

    def resolve(self, mail_id: str) -> str:
        """The id itself, or for ``latest`` that of the newest mail; raises MailNotFoundError."""
        if mail_id == "latest" and self._summaries:
            return next(reversed(self._summaries))
        if mail_id not in self._summaries:
            raise MailNotFoundError(mail_id)
        return mail_id

    def raw(self, mail_id: str) -> bytes:
        """The mail as it was received, after the envelope's headers."""
        return self._path(self.resolve(mail_id)).read_bytes()

    def parsed(self, mail_id: str) -> EmailMessage:
        """The mail's parts and headers."""
        return _parse(self.raw(mail_id))

    def open(self, mail_id: str) -> Mail:
        """The mail in full, which counts as read from now on."""
        mail_id = self.resolve(mail_id)
        self._read.add(mail_id)
        return _mail(self._summary(mail_id), self.parsed(mail_id))

    def delete(self, mail_ids: Sequence[str] | None = None) -> None:
        """Remove these mails, or all."""
        for mail_id in list(self._summaries) if mail_ids is None else mail_ids:
            if mail_id in self._summaries:
                del self._summaries[mail_id]
                self._read.discard(mail_id)
                self._path(mail_id).unlink(missing_ok=True)

    def _summary(self, mail_id: str) -> MailSummary:
        summary = self._summaries[mail_id] or _summary(mail_id, self.raw(mail_id))
        summary["Read"] = mail_id in self._read
        self._summaries[mail_id] = summary
        return summary

    def _path(self, mail_id: str) -> Path:
        return self.folder / f"{mail_id}.eml"


def text_of(message: EmailMessage, subtype: Literal["plain", "html"]) -> str:
    """The mail's text part of this subtype, empty if there is none."""
    body = message.get_body((subtype,))
    if body is None:
        return ""
    try:
        return str(body.get_content()).replace("\r\n", "\n")
    except (LookupError, UnicodeError):
        return cast("bytes", body.get_payload(decode=True)).decode("utf-8", "replace")


def attachments_of(message: EmailMessage) -> list[tuple[Attachment, MIMEPart]]:
    """Every part that isn't the text, numbered as Mailpit numbers parts: by their order in the mail."""
    texts = {id(part) for part in (message.get_body(("plain",)), message.get_body(("html",))) if part}
    found: list[tuple[Attachment, MIMEPart]] = []
    for number, part in enumerate(message.walk()):
        if part.is_multipart() or id(part) in texts:
            continue
        content = cast("bytes", part.get_payload(decode=True) or b"")
        attachment = Attachment(
            PartID=str(number),
            FileName=part.get_filename() or "",
            ContentType=part.get_content_type(),
            ContentID=str(part["Content-ID"] or "").strip("<>"),
            Size=len(content),
            Checksums=Checksums(
                MD5=hashlib.md5(content, usedforsecurity=False).hexdigest(),
                SHA1=hashlib.sha1(content, usedforsecurity=False).hexdigest(),
                SHA256=hashlib.sha256(content).hexdigest(),
            ),
        )
        found.append((attachment, cast("MIMEPart", part)))
    return found


def _parse(raw: bytes) -> EmailMessage:
    return _PARSER.parsebytes(raw)


def _searched(mail: MailSummary) -> str:
    people = " ".join(f"{each['Name']} {each['Address']}" for each in (mail["From"], *mail["To"]))
    return f"{people} {mail['Subject']}".casefold()


def headers_of(message: EmailMessage) -> Iterator[tuple[str, str]]:
    """Names and values in the mail's order, unfolded and decoded."""
    for name, value in message.raw_items():
        yield name, _decoded(value)


def _decoded(raw: str) -> str:
    """Python's own reading of address headers leaves a blank between two encoded words; this one doesn't."""
    unfolded = re.sub(r"\r?\n(?=[ \t])", "", raw)
    try:
        return str(make_header(decode_header(unfolded)))
    except (HeaderParseError, LookupError, UnicodeError):
        return unfolded


def _addresses(message: EmailMessage, name: str) -> list[MailAddress]:
    raw = [value for header, value in message.raw_items() if header.casefold() == name.casefold()]
    found = getaddresses([re.sub(r"\r?\n(?=[ \t])", "", value) for value in raw])
    return [MailAddress(Name=_decoded(real), Address=address) for real, address in found if address]


def _envelope_recipients(message: EmailMessage) -> list[MailAddress]:
    """Those who got it without being named in To or Cc."""
    named = {each["Address"].casefold() for each in _addresses(message, "To") + _addresses(message, "Cc")}
    delivered = [str(each).strip() for each in message.get_all("Delivered-To", [])]
    return [MailAddress(Name="", Address=each) for each in delivered if each.casefold() not in named]


def _summary(mail_id: str, raw: bytes) -> MailSummary:
    message = _parse(raw)
    senders = _addresses(message, "From")
    text = text_of(message, "plain") or re.sub(r"<[^>]*>", " ", text_of(message, "html"))
    return MailSummary(
        ID=mail_id,
        MessageID=str(message["Message-ID"] or "").strip("<>"),
        Read=False,
        From=senders[0] if senders else MailAddress(Name="", Address=""),
        To=_addresses(message, "To"),
        Cc=_addresses(message, "Cc"),
        Bcc=_envelope_recipients(message),
        ReplyTo=_addresses(message, "Reply-To"),
        Subject=str(message["Subject"] or ""),
        Created=datetime.fromtimestamp(UUID(mail_id).timestamp / 1000, UTC).isoformat(),
        Username="",
        Tags=[],
        Size=len(raw),
        Attachments=len(attachments_of(message)),
        Snippet=" ".join(text.split())[:SNIPPET_LENGTH],
    )


def _mail(summary: MailSummary, message: EmailMessage) -> Mail:
    attachments = [attachment for attachment, _ in attachments_of(message)]
    unsubscribe = str(message["List-Unsubscribe"] or "")
    return Mail(
        ID=summary["ID"],
        MessageID=summary["MessageID"],
        From=summary["From"],
        To=summary["To"],
        Cc=summary["Cc"],
        Bcc=summary["Bcc"],
        ReplyTo=summary["ReplyTo"],
        ReturnPath=str(message["Return-Path"] or "").strip("<>"),
        Subject=summary["Subject"],
        ListUnsubscribe=ListUnsubscribe(
            Header=unsubscribe,
            Links=re.findall(r"<([^>]+)>", unsubscribe),
            Errors="",
            HeaderPost=str(message["List-Unsubscribe-Post"] or ""),
        ),
        Date=_date(message) or summary["Created"],
        Tags=[],
        Username="",
        Text=text_of(message, "plain"),
        HTML=text_of(message, "html"),
        Size=summary["Size"],
        Inline=[each for each in attachments if each["ContentID"]],
        Attachments=[each for each in attachments if not each["ContentID"]],
    )


def _date(message: EmailMessage) -> str | None:
    try:
        return parsedate_to_datetime(str(message["Date"])).isoformat()
    except ValueError:
        return None
