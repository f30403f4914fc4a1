"""What /docs shows of handing in files."""

from typing import Any

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
