"""What /docs shows of bodies that are read raw, for speed, and of the answers."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, Field

from services.ingest.reading import CONTENT, REVISION, WITHDRAWAL

_REFS = "#/components/schemas/{model}"


class AcceptedAnswer(BaseModel):
    """It is in the record for good; the receipt says what becomes of it."""

    id: str
    revision: int
    receipt: str = Field(description="The address of the page that shows what happened where.")


class ProblemDetails(BaseModel):
    """Problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[dict[str, Any]] | None = Field(
        default=None, description="The fields that don't fit: field, message, allowed."
    )


_PROBLEMS = {
    400: "Not JSON, or a header that makes no sense.",
    401: "No valid key.",
    404: "Your department has no publication with this id.",
    409: "It was withdrawn.",
    412: "The revision is outdated.",
    413: "Too large.",
    415: "Not application/json.",
    422: "Fields that don't fit, or an Idempotency-Key used for something else.",
    428: "If-Match is missing.",
    429: "Too many requests; see Retry-After.",
    503: "The database is away; see Retry-After, and repeat with the same Idempotency-Key.",
}


def problems(texts: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    """The part of a route's answers that are problem details, by status."""
    return {
        status: {
            "description": text,
            "content": {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}
            },
        }
        for status, text in texts.items()
    }


ANSWERS: dict[int | str, dict[str, Any]] = {
    202: {"model": AcceptedAnswer, "description": "Accepted, durably."},
    **problems(_PROBLEMS),
}


def request_body(schema: str) -> dict[str, Any]:
    """The part of an operation that names its body's schema."""
    reference = {"$ref": f"#/components/schemas/{schema}"}
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "The same key and body get the same answer; nothing is taken twice.",
        "schema": {"type": "string", "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
    }
    seen = {
        "name": "If-Match",
        "in": "header",
        "required": True,
        "description": 'The revision that you have seen, in quotes: "1".',
        "schema": {"type": "string", "pattern": '^"[1-9][0-9]{0,8}"$'},
    }
    return {
        "security": [{"key": []}],
        "parameters": [key, seen] if schema == "Revision" else [key],
        "requestBody": {"required": True, "content": {"application/json": {"schema": reference}}},
    }


def describe(app: FastAPI) -> None:
    """Make the app's OpenAPI document name the schemas of the raw bodies."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            described = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            schemas = described.setdefault("components", {}).setdefault("schemas", {})
            for name, adapter in (
                ("Submission", CONTENT),
                ("Revision", REVISION),
                ("WithdrawalRequest", WITHDRAWAL),
            ):
                schema = adapter.json_schema(ref_template=_REFS)
                schemas |= schema.pop("$defs", {})
                schemas[name] = schema
            described["components"]["securitySchemes"] = {
                "key": {"type": "http", "scheme": "bearer", "description": "A department's key."}
            }
            schemas["ProblemDetails"] = ProblemDetails.model_json_schema(ref_template=_REFS)
            app.openapi_schema = described
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way to extend the document
