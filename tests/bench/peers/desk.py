"""The peer's front desk: FastAPI validates a publication and hands it to Celery.

The endpoint is a plain function, which FastAPI runs in its threads, since Celery's publish blocks.
"""

from typing import Annotated
from uuid import uuid4

from fastapi import Body, FastAPI

from shared.publication import Content
from tests.bench.peers.celery_app import store

app = FastAPI()


@app.get("/health/ready")
def ready() -> dict[str, str]:
    return {"status": "ready"}


@app.post("/v1/publications", status_code=202)
def accept(content: Annotated[Content, Body()]) -> dict[str, str]:
    """Accepted when the broker has confirmed it."""
    id = str(uuid4())
    store.delay(id, content.model_dump(mode="json"))
    return {"id": id}
