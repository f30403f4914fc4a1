"""An upload in one piece: multipart/form-data, written to disk as it comes (RFC 7578)."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO

from fastapi import Request
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from services.ingest.media.refusals import refused, too_large
from services.ingest.media.settings import MediaSettings
from services.ingest.media.sniffing import HEAD, Told, tell
from shared.web import Problem

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FIELD_MOST = 16_384
"""Bytes of one field of words."""
PARTS_MOST = 10


@dataclass
class Upload:
    """What came: the file on disk, and the words with it."""

    path: Path
    name: str | None
    fields: dict[str, str]


@contextmanager
def workplace(settings: MediaSettings) -> Iterator[Path]:
    """A folder for one file and what is made of it; gone at the end."""
    folder = TemporaryDirectory(prefix="visnyk-media-", dir=settings.folder, ignore_cleanup_errors=True)
    with folder as path:
        yield Path(path)


async def receive(request: Request, folder: Path, settings: MediaSettings) -> Upload:
    """Read a form with one file. Raises a 400, 413, 415 or 422 `Problem`, as soon as it is sure."""
    kind, options = parse_options_header(request.headers.get("Content-Type", ""))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise Problem(
            415,
            "not-a-form",
            "Send multipart/form-data with the file as `file`, and alt, caption, author as it needs.",
        )
    path = folder / "file"
    with path.open("wb") as file:
        form = _Form(file, settings)
        parser = MultipartParser(boundary, form.callbacks())
        try:
            async for block in request.stream():
                await asyncio.to_thread(parser.write, block)
            parser.finalize()
        except MultipartParseError as error:
            raise Problem(400, "not-a-form", f"The form can't be read: {error}.") from error
        except ClientDisconnect as error:
            raise Problem(400, "cut-off", "The connection ended before the file did.") from error
    return form.upload(path)


@dataclass
class _Form:
    """Follows the parser from part to part."""

    file: BinaryIO
    settings: MediaSettings
    fields: dict[str, str] = field(default_factory=dict)
    file_name: str | None = None
    _header: bytearray = field(default_factory=bytearray)
    _value: bytearray = field(default_factory=bytearray)
    _disposition: dict[bytes, bytes] = field(default_factory=dict)
    _head: bytearray = field(default_factory=bytearray)
    _told: Told | None = None
    _size: int = 0
    _parts: int = 0
    _has_file: bool = False
    _ended: bool = False

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._part_begins,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._header_ends,
            "on_headers_finished": self._headers_end,
            "on_part_data": self._data,
            "on_part_end": self._part_ends,
            "on_end": self._form_ends,
        }

    def upload(self, path: Path) -> Upload:
        """All of it, when the parser is through."""
        if not self._ended:
            raise Problem(400, "cut-off", "The form ended before its last boundary.")
        if not self._has_file:
            raise refused("file-missing", "The form has no field `file`.")
        return Upload(path, self.file_name, self.fields)

    def _part_begins(self) -> None:
        self._parts += 1
        if self._parts > PARTS_MOST:
            raise Problem(400, "not-a-form", f"A form has up to {PARTS_MOST} parts.")
        self._disposition = {}
        self._value.clear()

    def _header_ends(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = parse_options_header(bytes(self._value))[1]
        self._header.clear()
        self._value.clear()

    def _headers_end(self) -> None:
        name = self._name
        if name == "file":
            if self._has_file:
                raise refused("one-file", "Hand in one file at a time.")
            self._has_file = True
            given = self._disposition.get(b"filename")
            self.file_name = given.decode(errors="replace") if given else None
        elif name in self.fields:
            raise refused("twice", f"{name[:100]!r} stands in the form twice.", field=name[:100])

    @property
    def _name(self) -> str:
        return self._disposition.get(b"name", b"").decode(errors="replace")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._name == "file":
            self._file_data(data[start:end])
            return
        self._value.extend(data[start:end])
        if len(self._value) > FIELD_MOST:
            name = self._name[:100]
            raise refused("too-long", f"{name!r} is over {FIELD_MOST} bytes.", field=name)

    def _file_data(self, block: bytes) -> None:
        self._size += len(block)
        if self._told is None:
            self._head += block
            if len(self._head) >= HEAD:
                self._told = tell(bytes(self._head))
        if self._told is not None and self._size > (limit := self.settings.limit(self._told.form)):
            raise too_large(self._told.form, limit)
        self.file.write(block)

    def _part_ends(self) -> None:
        if self._name == "file":
            return
        try:
            self.fields[self._name[:100]] = self._value.decode()
        except UnicodeDecodeError as error:
            raise refused("not-utf-8", "Send the words in UTF-8.", field=self._name[:100]) from error
        self._value.clear()

    def _form_ends(self) -> None:
        self._ended = True
