"""The page's posts, as its readers see them.

https://developers.facebook.com/docs/graph-api/reference/page/published_posts; pages of a list by cursors:
https://developers.facebook.com/docs/graph-api/results. The address of the next page holds the token, and
isn't used.
"""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from services.publisher.channels.facebook.client import Graph
from services.publisher.channels.facebook.refusals import Aim, Gone
from shared.bus import Permanent

PAGE = 100
"""The most posts that one answer holds."""
MOST_PAGES = 20
_FIELDS = "id,message,created_time,permalink_url,attachments{media_type,target}"
_AIM = Aim(permission="pages_read_engagement", urgent=True)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Target(_Model):
    id: str | None = None


class _Attachment(_Model):
    media_type: str = ""
    target: _Target = _Target()


class _Attachments(_Model):
    data: tuple[_Attachment, ...] = ()


class Post(_Model):
    """One post."""

    id: str
    message: str = ""
    permalink_url: str | None = None
    attachments: _Attachments = _Attachments()

    @property
    def video(self) -> str | None:
        """The id of the video that it shows."""
        for attachment in self.attachments.data:
            if attachment.media_type == "video":
                return attachment.target.id
        return None


class _Cursors(_Model):
    after: str | None = None


class _Paging(_Model):
    cursors: _Cursors = _Cursors()
    next: str | None = None


class _Page(_Model):
    data: tuple[Post, ...] = ()
    paging: _Paging = _Paging()


class Timeline:
    """Reads one page's posts."""

    def __init__(self, graph: Graph, page: str) -> None:
        self._graph = graph
        self._page = page

    async def since(self, at: datetime, until: datetime | None = None) -> list[Post]:
        """All posts from then on, newest first."""
        params = {"fields": _FIELDS, "since": str(int(at.timestamp())), "limit": str(PAGE)}
        if until is not None:
            params["until"] = str(int(until.timestamp()))
        posts: list[Post] = []
        for _ in range(MOST_PAGES):
            try:
                answer = await self._graph.get(f"{self._page}/published_posts", params, _AIM)
            except Gone as error:
                raise Permanent("Сторінки Facebook немає, або маркер не від неї.") from error
            page = _Page.model_validate(answer)
            posts.extend(page.data)
            if page.paging.next is None or page.paging.cursors.after is None:
                return posts
            params["after"] = page.paging.cursors.after
        raise Permanent("Дописів сторінки забагато, щоб знайти серед них потрібний.")
