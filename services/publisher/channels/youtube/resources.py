"""What the Data API answers: the few fields we read, and all others, so that they can be written back.

https://developers.google.com/youtube/v3/docs/videos, https://developers.google.com/youtube/v3/live/docs/liveBroadcasts
"""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Part = dict[str, JsonValue]


class _Resource(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    snippet: Part = {}
    status: Part = {}

    def says(self, part: str, key: str) -> str:
        """A text of one part; empty where it has none."""
        value = (self.snippet if part == "snippet" else self.status).get(key)
        return value if isinstance(value, str) else ""


class Video(_Resource):
    """A `video` resource."""

    processing: Part = Field(default={}, validation_alias="processingDetails")

    @property
    def upload_status(self) -> str:
        """`uploaded` while it is processed, then `processed`; or `rejected`, `failed`, `deleted`."""
        return self.says("status", "uploadStatus")


class Broadcast(_Resource):
    """A `liveBroadcast` resource."""

    @property
    def upcoming(self) -> bool:
        """Not begun: it may be moved, and deleted."""
        return self.says("status", "lifeCycleStatus") in ("created", "ready")


class _PageInfo(BaseModel):
    model_config = ConfigDict(extra="ignore")

    next: str | None = Field(default=None, validation_alias="nextPageToken")


class Videos(_PageInfo):
    items: tuple[Video, ...] = ()


class Broadcasts(_PageInfo):
    items: tuple[Broadcast, ...] = ()


class _ResourceId(BaseModel):
    video: str = Field(validation_alias="videoId")


class ListedSnippet(BaseModel):
    """What a playlist says of one of its videos."""

    resource: _ResourceId = Field(validation_alias="resourceId")
    description: str = ""
    published_at: datetime = Field(validation_alias="publishedAt")


class Listed(BaseModel):
    """An item of a playlist."""

    snippet: ListedSnippet


class Playlist(_PageInfo):
    items: tuple[Listed, ...] = ()


class _Playlists(BaseModel):
    uploads: str


class _ContentDetails(BaseModel):
    playlists: _Playlists = Field(validation_alias="relatedPlaylists")


class OwnChannel(BaseModel):
    """The account's channel."""

    id: str
    details: _ContentDetails = Field(validation_alias="contentDetails")


class OwnChannels(BaseModel):
    items: tuple[OwnChannel, ...] = ()


class _ErrorDetail(BaseModel):
    reason: str = ""


class _Error(BaseModel):
    message: str = ""
    errors: tuple[_ErrorDetail, ...] = ()


class ErrorAnswer(BaseModel):
    """The body of an answer that isn't a success: https://developers.google.com/youtube/v3/docs/errors."""

    error: _Error = _Error()

    @property
    def reason(self) -> str:
        return self.error.errors[0].reason if self.error.errors else ""
