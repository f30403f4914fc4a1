"""The galley: an issue as a Word document, in Ukrainian so that the editors' spell checker works.

https://python-docx.readthedocs.io/
"""

import io
from collections.abc import Sequence
from datetime import date

import docx
from docx.document import Document
from docx.oxml.ns import qn
from docx.oxml.parser import OxmlElement
from docx.text.paragraph import Paragraph

from services.publisher.channels.newspaper.blocks import Block, Run
from services.publisher.channels.newspaper.contents import Piece, total

_DEEPEST_HEADING, _DEEPEST_LIST = 9, 3
_BODY_HEADINGS_BELOW = 2


def galley(title: str, expected: date, pieces: Sequence[Piece]) -> bytes:
    """The document's bytes."""
    document = docx.Document()
    _speak_ukrainian(document)
    document.core_properties.title = f"{title}, {expected:%d.%m.%Y}"
    document.core_properties.language = "uk-UA"
    document.add_heading(f"«{title}», випуск {expected:%d.%m.%Y}", 0)
    document.add_paragraph(f"Матеріалів: {len(pieces)}. Обсяг: {total(pieces).text}.")
    group = ""
    for piece in pieces:
        if piece.group != group:
            group = piece.group
            document.add_heading(group, 1)
        _set(document, piece)
    kept = io.BytesIO()
    document.save(kept)
    return kept.getvalue()


def _set(document: Document, piece: Piece) -> None:
    document.add_heading(f"{piece.place}. {piece.title}", _BODY_HEADINGS_BELOW)
    _write(document, piece.blocks)
    for photo in piece.photos:
        document.add_paragraph(f"Фото {photo.name}: {photo.caption}", style="Caption")
    document.add_paragraph(f"Обсяг: {piece.count.text}.", style="Caption")


def _write(document: Document, blocks: Sequence[Block]) -> None:
    numbers: dict[int, int] = {}
    for block in blocks:
        if block.style == "table":
            _table(document, block)
        elif block.style == "heading":
            level = min(block.level + _BODY_HEADINGS_BELOW, _DEEPEST_HEADING)
            _fill(document.add_heading(level=level), block.runs)
        elif block.style in ("bullet", "number"):
            _list_item(document, block, numbers)
        else:
            style = "Quote" if block.style == "quote" else None
            _fill(document.add_paragraph(style=style), block.runs)


def _list_item(document: Document, block: Block, numbers: dict[int, int]) -> None:
    depth = min(block.level + 1, _DEEPEST_LIST)
    name = "List Bullet" if block.style == "bullet" else "List Number"
    name += f" {depth}" if depth > 1 else ""
    paragraph = document.add_paragraph(style=name)
    _fill(paragraph, block.runs)
    if block.style == "bullet":
        return
    if block.starts is not None:
        numbers[block.level] = _numbering(document, name, block.starts)
    if block.level in numbers:
        properties = paragraph._p.get_or_add_pPr().get_or_add_numPr()  # type: ignore[attr-defined]  # noqa: SLF001  # declared at run time; no public way
        properties.get_or_add_numId().val = numbers[block.level]
        properties.get_or_add_ilvl().val = 0


def _numbering(document: Document, style: str, starts: int) -> int:
    """A numbering of its own, for a list would else go on counting from the one before."""
    numbering = document.part.numbering_part.element
    of_style = document.styles[style].element.find(f".//{qn('w:numId')}").get(qn("w:val"))
    abstract = next(num.abstractNumId.val for num in numbering.num_lst if str(num.numId) == of_style)
    num = numbering.add_num(abstract)
    num.add_lvlOverride(0).add_startOverride(starts)
    return int(num.numId)


def _table(document: Document, block: Block) -> None:
    table = document.add_table(rows=0, cols=max(map(len, block.rows)), style="Table Grid")
    for number, row in enumerate(block.rows):
        cells = table.add_row().cells
        for cell, runs in zip(cells, row, strict=False):
            _fill(cell.paragraphs[0], runs, bold=number == 0)


def _fill(paragraph: Paragraph, runs: Sequence[Run], *, bold: bool = False) -> None:
    for run in runs:
        added = paragraph.add_run(run.text)
        added.bold = True if run.bold or bold else None
        added.italic = True if run.italic else None
        if run.code:
            added.font.name = "Courier New"


def _speak_ukrainian(document: Document) -> None:
    """Set the language that all styles inherit: `w:docDefaults`, ISO 29500-1, 17.7.5.1."""
    defaults = document.styles.element.find(f".//{qn('w:rPrDefault')}/{qn('w:rPr')}")
    language = defaults.find(qn("w:lang"))
    if language is None:
        language = OxmlElement("w:lang")
        defaults.append(language)
    language.set(qn("w:val"), "uk-UA")
