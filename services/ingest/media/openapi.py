"""What /docs shows of handing in files."""

from typing import Any, Literal

from pydantic import BaseModel

from services.ingest.openapi import problems
from shared.publication import MediaFile

SECURITY: dict[str, Any] = {"security": [{"key": []}]}

FORM: dict[str, Any] = SECURITY | {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "additionalProperties": False,
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "JPEG, PNG, WebP; MP4, MOV, WebM; PDF.",
                        },
                        "alt": {
                            "type": "string",
                            "maxLength": 300,
                            "description": "What a photograph shows; every photograph needs it.",
                        },
                        "caption": {"type": "string", "maxLength": 2000},
                        "author": {"type": "string", "maxLength": 300},
                    },
                }
            }
        },
    }
}
ANSWERS: dict[int | str, dict[str, Any]] = problems(
    {
        400: "Cut off, or not a form.",
        401: "No valid key.",
        404: "Your department has no file with this id.",
        413: "Over the limit of its form.",
        415: "Not a form, or a file of a kind that is not taken.",
        422: "An empty or damaged file, or words that don't fit.",
        429: "Too many requests; see Retry-After.",
        503: "The database is away; see Retry-After.",
    }
)
FOUND: dict[int | str, dict[str, Any]] = {200: {"model": MediaFile, "description": "The file."}}
TAKEN: dict[int | str, dict[str, Any]] = {
    201: {"model": MediaFile, "description": "Stored; `id` is what a publication's `media` names it by."}
}


class UploadState(BaseModel):
    """How far a resumable upload has come, and the file that it became."""

    state: Literal["receiving", "looked-at", "taken"]
    offset: int
    length: int
    media: MediaFile | None


def _header(name: str, text: str, **schema: object) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": True, "description": text, "schema": schema}


_VERSION = _header("Tus-Resumable", "The version of the protocol.", type="string", enum=["1.0.0"])
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": 10**12}
TUS: dict[str, Any] = SECURITY | {"parameters": [_VERSION]}
CREATE: dict[str, Any] = SECURITY | {
    "parameters": [
        _VERSION,
        _header("Upload-Length", "Bytes of the file.", **_COUNT),
        _header(
            "Upload-Metadata",
            "Pairs of a name and its value in Base64, by comma: filename, alt, caption, author.",
            type="string",
            maxLength=16_384,
        )
        | {"required": False},
    ]
}
APPEND: dict[str, Any] = SECURITY | {
    "parameters": [_VERSION, _header("Upload-Offset", "Where these bytes begin.", **_COUNT)],
    "requestBody": {
        "required": True,
        "content": {"application/offset+octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
}
CREATED: dict[int | str, dict[str, Any]] = {201: {"description": "Begun; Location is the upload's address."}}
NO_CONTENT: dict[int | str, dict[str, Any]] = {204: {"description": "Done."}}
STATE: dict[int | str, dict[str, Any]] = {200: {"model": UploadState, "description": "How it stands."}}
TUS_ANSWERS: dict[int | str, dict[str, Any]] = problems(
    {
        400: "Cut off, or a header that makes no sense.",
        401: "No valid key.",
        404: "Your department has no upload with this id, or it expired.",
        409: "The upload stands at another offset.",
        410: "The upload was refused.",
        412: "Another version of the protocol.",
        413: "Over the limit.",
        415: "Not application/offset+octet-stream, or a file of a kind that is not taken.",
        422: "A file that is refused, or words that don't fit.",
        429: "Too many requests; see Retry-After.",
        503: "The database is away; see Retry-After.",
    }
)
