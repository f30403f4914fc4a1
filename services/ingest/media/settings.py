"""What ingest reads from the environment about media files."""

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.vocabulary import MediaForm

MIB = 1024 * 1024


class MediaSettings(BaseSettings):
    """Settings of the media desk; see `.env.example`."""

    model_config = SettingsConfigDict(populate_by_name=True, extra="ignore", frozen=True)

    photo_limit: int = Field(
        default=40, ge=1, le=200, validation_alias="MEDIA_PHOTO_LIMIT", description="MiB."
    )
    photo_pixels: int = Field(
        default=80,
        ge=1,
        le=89,
        validation_alias="MEDIA_PHOTO_PIXELS",
        description="Millions; a photograph takes about 4 bytes of memory a pixel while it is looked at.",
    )
    video_limit: int = Field(default=2048, ge=1, validation_alias="MEDIA_VIDEO_LIMIT", description="MiB.")
    document_limit: int = Field(default=50, ge=1, validation_alias="MEDIA_DOCUMENT_LIMIT", description="MiB.")
    unused_days: float = Field(
        default=30,
        ge=1,
        validation_alias="MEDIA_UNUSED_DAYS",
        description="Days after which a file that no submission named is removed.",
    )
    upload_hours: float = Field(
        default=48,
        gt=0,
        le=24 * 7,
        validation_alias="MEDIA_UPLOAD_HOURS",
        description="Hours after the last byte that an unfinished resumable upload is kept.",
    )
    ffmpeg: str = Field(
        default="ffmpeg",
        validation_alias="MEDIA_FFMPEG",
        description="The program, by name or path; videos stay as they came where there is none.",
    )
    folder: Path = Field(
        default_factory=lambda: Path(tempfile.gettempdir()),
        validation_alias="MEDIA_FOLDER",
        description="Where a file lies while it is looked at: room for twice the largest video a request.",
    )

    def limit(self, form: MediaForm) -> int:
        """Bytes."""
        return (
            MIB
            * {
                MediaForm.PHOTO: self.photo_limit,
                MediaForm.VIDEO: self.video_limit,
                MediaForm.DOCUMENT: self.document_limit,
            }[form]
        )

    @property
    def largest(self) -> int:
        """Bytes: over this nothing is taken, whatever it is."""
        return max(self.limit(form) for form in MediaForm)

    @property
    def unused_for(self) -> timedelta:
        """How long a file is kept that nothing uses."""
        return timedelta(days=self.unused_days)

    @property
    def upload_for(self) -> timedelta:
        """How long an unfinished upload is kept."""
        return timedelta(hours=self.upload_hours)

    def ffmpeg_path(self) -> str | None:
        """The program, if it is there."""
        return shutil.which(self.ffmpeg) if self.ffmpeg else None
