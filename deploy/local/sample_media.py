"""Handing in the sample's photographs and videos, each once, as a department would."""

import tempfile
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import httpx

from deploy.local.binaries import find_ffmpeg
from deploy.local.errors import LocalRunError
from deploy.local.sample_city import SampleFile, SamplePublication
from deploy.local.sample_city.drawings import photograph, video
from deploy.local.state import StateFile

SUBMIT_ATTEMPTS = 10


class SampleMedia:
    """Uploads to ingest; the ids are kept, so that another run names the same files."""

    def __init__(self, kept: StateFile, ingest: httpx.Client) -> None:
        self._kept = kept
        self._ingest = ingest

    def hand_in(self, each: SamplePublication) -> list[str]:
        """The ids of a publication's files, in its order. Raises LocalRunError."""
        ids = [self._photo(each, file) for file in each.photos]
        if each.video is not None:
            ids.append(self._video(each, each.video))
        return ids

    def _photo(self, each: SamplePublication, file: SampleFile) -> str:
        return self._upload(each, file, "image/jpeg", lambda: photograph(file.drawing))

    def _video(self, each: SamplePublication, file: SampleFile) -> str:
        def made() -> bytes:
            ffmpeg = find_ffmpeg()
            if ffmpeg is None:
                raise LocalRunError("the sample's video needs ffmpeg: install it")
            with tempfile.TemporaryDirectory() as folder:
                return video(file.drawing, Path(folder), ffmpeg)

        return self._upload(each, file, "video/mp4", made)

    def _upload(
        self, each: SamplePublication, file: SampleFile, media_type: str, made: Callable[[], bytes]
    ) -> str:
        files = self._kept.state.sample.files
        if file.drawing in files:
            return files[file.drawing]
        named = file.name or f"{file.drawing}.jpg"
        words = {"alt": file.alt, "caption": file.caption, "author": each.author}
        key = self._kept.state.sample.keys[each.department]
        content = made()
        answer = patiently(
            lambda: self._ingest.post(
                "/v1/media",
                headers={"Authorization": f"Bearer {key}"},
                data={name: value for name, value in words.items() if value is not None},
                files={"file": (named, content, media_type)},
            )
        )
        if answer.status_code != HTTPStatus.CREATED:
            raise LocalRunError(f"{named} was refused with {answer.status_code}: {answer.text[:300]}")
        files[file.drawing] = str(answer.json()["id"])
        self._kept.save()
        return files[file.drawing]


def patiently(request: Callable[[], httpx.Response]) -> httpx.Response:
    """Ask again where ingest asks for patience."""
    for _ in range(SUBMIT_ATTEMPTS):
        answer = request()
        if answer.status_code not in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}:
            break
        time.sleep(min(float(answer.headers.get("Retry-After", "1")), 10.0))
    return answer
