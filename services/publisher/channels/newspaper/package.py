"""The editors' mails: the package with galley, photographs and manifest; a stop; a reminder."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from email.message import EmailMessage
from uuid import UUID

from services.publisher.channels.interface import Surroundings
from services.publisher.channels.newspaper.contents import Photo, Piece, total
from services.publisher.channels.newspaper.deadlines import KYIV, expected_on
from services.publisher.channels.newspaper.galley import galley
from services.publisher.channels.newspaper.issue import Issue, Item
from services.publisher.channels.newspaper.settings import MIB, NewspaperSection
from shared.bus import Later
from shared.media import ImageFormat, MediaStore, rendition_key
from shared.settings import MailSettings

WIDEST = 2560
_ENCODED = 4 / 3 * 78 / 76
"""Base64 in lines of 76 characters."""
_WORD = "vnd.openxmlformats-officedocument.wordprocessingml.document"


@dataclass(frozen=True)
class Attached:
    """A photograph of the package, and what became of it."""

    photo: Photo
    bytes_: bytes | None
    """None where it doesn't fit into the mail, or isn't there."""
    link: str | None = None

    @property
    def where(self) -> str:
        if self.bytes_ is not None:
            return "у листі"
        return f"не вмістилося, див. {self.link}" if self.link else "не вмістилося, запитайте в пресслужби"


class Letters:
    """Writes them; sends nothing."""

    def __init__(self, section: NewspaperSection, surroundings: Surroundings) -> None:
        self._section = section
        self._surroundings = surroundings

    def expected(self, issue: Issue) -> date:
        """The day on which the issue should come out."""
        return expected_on(issue.deadline, self._section.days_to_print)

    async def package(self, issue: Issue, pieces: Sequence[Piece], answer_at: str) -> EmailMessage:
        """The one mail of an issue."""
        day = self.expected(issue)
        document = galley(self._section.title, day, pieces)
        links = {piece.publication.id: await self._page(piece.publication.id) for piece in pieces}
        room = int(self._section.mail_mib * MIB / _ENCODED) - len(document) - MIB // 2
        photos = await _photographs(self._surroundings.media, pieces, links, room)
        mail = self._mail(
            issue, "issue", f"Матеріали до випуску від {day:%d.%m.%Y} («{self._section.title}»)"
        )
        mail.set_content(_package_text(self._section.title, day, pieces, photos, answer_at))
        name = f"vypusk-{day.isoformat()}"
        mail.add_attachment(document, maintype="application", subtype=_WORD, filename=f"{name}.docx")
        mail.add_attachment(
            manifest(pieces, photos).encode("utf-8-sig"),
            maintype="text",
            subtype="csv",
            filename=f"{name}.csv",
        )
        for attached in photos:
            if attached.bytes_ is not None:
                mail.add_attachment(
                    attached.bytes_, maintype="image", subtype="jpeg", filename=attached.photo.name
                )
        return mail

    def stop(self, issue: Issue, item: Item) -> EmailMessage:
        """Not to print what was withdrawn after the package had gone out."""
        title = item.content.content.title
        mail = self._mail(issue, f"stop.{item.publication_id.hex}", f"НЕ ДРУКУВАТИ: {title}")
        mail.set_content(
            f"Просимо не друкувати матеріал «{title}», надісланий до випуску від "
            f"{self.expected(issue):%d.%m.%Y}.\n\nЙого відкликано: {item.reason}\n\n"
            "Якщо його вже надруковано, повідомте про це за посиланням із листа з матеріалами: "
            "спростування надійде до наступного випуску.\n"
        )
        return mail

    def reminder(self, issue: Issue, answer_at: str) -> EmailMessage:
        """That answers are missing."""
        day = self.expected(issue)
        titles = "\n".join(f"- {item.content.content.title}" for item in issue.unanswered)
        mail = self._mail(issue, "reminder", f"Нагадування: що надруковано у випуску від {day:%d.%m.%Y}")
        mail.set_content(
            f"Ще не знаємо, чи надруковано:\n\n{titles}\n\nПозначте це, будь ласка, тут:\n{answer_at}\n"
        )
        return mail

    def _mail(self, issue: Issue, what: str, subject: str) -> EmailMessage:
        settings = self._surroundings.settings
        domain = settings.domain if isinstance(settings, MailSettings) else "localhost"
        mail = EmailMessage()
        mail["To"] = ", ".join(self._section.editors)
        mail["Subject"] = " ".join(subject.split())[:200]
        # The same on every repeat, so that mail systems can drop a copy.
        mail["Message-ID"] = f"<newspaper.{issue.id}.{what}@{domain}>"
        return mail

    async def _page(self, publication_id: UUID) -> str | None:
        page = await self._surroundings.posted(publication_id, "site")
        return None if page is None else page.url


async def _photographs(
    store: MediaStore, pieces: Sequence[Piece], links: Mapping[UUID, str | None], room: int
) -> list[Attached]:
    """Read as many as fit; one that doesn't makes room for smaller ones."""
    found: list[Attached] = []
    for piece in pieces:
        for photo in piece.photos:
            content = await _jpeg(store, photo)
            if content is not None and len(content) <= room:
                room -= len(content)
                found.append(Attached(photo, content))
            else:
                found.append(Attached(photo, None, links[piece.publication.id]))
    return found


async def _jpeg(store: MediaStore, photo: Photo) -> bytes | None:
    try:
        return await store.read(rendition_key(photo.file, width=WIDEST, format=ImageFormat.JPEG))
    except Later:
        # The deadline doesn't wait for one photograph: the manifest says where it is.
        return None


def manifest(pieces: Sequence[Piece], photos: Sequence[Attached]) -> str:
    """All items and photographs, a line each, as spreadsheets read it."""
    where = {attached.photo.name: attached.where for attached in photos}
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";")
    writer.writerow(
        ["№", "розділ", "заголовок або підпис", "знаків із пробілами", "знаків без пробілів", "файл", "де"]
    )
    for piece in pieces:
        counted = piece.count
        cells = [piece.place, piece.group, _cell(piece.title), counted.with_spaces, counted.without_spaces]
        writer.writerow([*cells, "", ""])
        for photo in piece.photos:
            writer.writerow(
                [piece.place, "фото", _cell(photo.caption), "", "", photo.name, where[photo.name]]
            )
    return text.getvalue()


def _cell(text: str) -> str:
    """Kept from being taken for a formula: https://owasp.org/www-community/attacks/CSV_Injection"""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _package_text(
    title: str, day: date, pieces: Sequence[Piece], photos: Sequence[Attached], answer_at: str
) -> str:
    lines = [f"Матеріали міської ради до випуску «{title}» від {day:%d.%m.%Y}.", ""]
    group = ""
    for piece in pieces:
        if piece.group != group:
            group = piece.group
            lines += ["", group]
        lines.append(f"{piece.place}. {piece.title} ({piece.count.text})")
        lines += [f"   фото {at.photo.name}: {at.where}" for at in photos if at.photo in piece.photos]
    lines += ["", f"Разом: {total(pieces).text}.", ""]
    lines += ["Після друку позначте, що і де надруковано:", answer_at, ""]
    return "\n".join(lines)


def deadline_text(issue: Issue) -> str:
    """24.11.2026, 12:00"""
    return f"{issue.deadline.astimezone(KYIV):%d.%m.%Y, %H:%M}"
