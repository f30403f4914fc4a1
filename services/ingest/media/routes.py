"""The routes that departments hand files in by."""

from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from services.ingest.admission import Admission
from services.ingest.media.counting import count, count_refusal
from services.ingest.media.description import described
from services.ingest.media.form import receive, workplace
from services.ingest.media.intake import Intake
from services.ingest.media.openapi import ANSWERS, FORM, FOUND, SECURITY, TAKEN
from services.ingest.media.records import Records
from shared.publication import Department, MediaFile
from shared.web import Problem


class MediaDesk:
    """What the routes do: receive, look, store, answer."""

    def __init__(self, intake: Intake, records: Records) -> None:
        self._intake = intake
        self._records = records

    async def hand_in(self, request: Request, department: Department) -> JSONResponse:
        """Take a file in one piece."""
        try:
            with workplace(self._intake.settings) as folder:
                upload = await receive(request, folder, self._intake.settings)
                description = described(upload.fields, upload.name)
                media = await self._intake.take(upload.path, description, department)
        except Problem as problem:
            count_refusal(problem)
            raise
        count(media, department)
        return answer(media, status=201)

    async def describe(self, department: Department, id: UUID) -> JSONResponse:
        """What is known of a file."""
        media = await self._records.find(id, department.id)
        if media is None:
            raise Problem(404, "no-such-media", "Your department has no file with this id.")
        return answer(media, status=200)


def answer(media: MediaFile, *, status: int) -> JSONResponse:
    """The file as JSON, with its address."""
    return JSONResponse(
        media.model_dump(mode="json", exclude_none=True),
        status_code=status,
        headers={"Location": f"/v1/media/{media.id}"},
    )


def routes(desk: MediaDesk, admission: Admission) -> APIRouter:
    """The routes, each of which asks first who calls."""
    router = APIRouter(prefix="/v1/media", tags=["media"], responses=ANSWERS)

    @router.post(
        "", status_code=201, summary="Hand in a file in one piece", openapi_extra=FORM, responses=TAKEN
    )
    async def hand_in(request: Request) -> JSONResponse:
        return await desk.hand_in(request, await admission.department(request))

    @router.get("/{id:uuid}", summary="What is known of a file", openapi_extra=SECURITY, responses=FOUND)
    async def describe(request: Request, id: UUID) -> JSONResponse:
        return await desk.describe(await admission.department(request), id)

    return router
