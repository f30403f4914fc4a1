"""What people see of a rundown: programmes, calendars, and the page by which a station answers."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.publisher.channels.rundown.agreements import Agreements, count
from services.publisher.channels.rundown.airing import Airing, Slot
from services.publisher.channels.rundown.airings import Airings
from services.publisher.channels.rundown.design import render
from services.publisher.channels.rundown.feed import calendar_of
from services.publisher.channels.rundown.links import Links
from services.publisher.channels.rundown.terms import KYIV
from services.publisher.channels.rundown.wording import key_of

_KEPT_IN_FEED = timedelta(days=400)
_MOST_REMARK = 500
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_PRIVATE = _HEADERS | {"Cache-Control": "no-store", "X-Robots-Tag": "noindex, nofollow"}
_NO_LINK = "Посилання недійсне або застаріле. Зателефонуйте до пресслужби."
_NOT_LISTED = "Цього ефіру в програмі вже немає."

Answering = Callable[[UUID, Slot, str | None], Awaitable[Airing | None]]


class Refused(ValueError):
    """What the station filled in doesn't fit; the text says why, in Ukrainian."""


def slot_of(airing: Airing, outcome: str, date: str, hour: str, at: datetime) -> Slot:
    """What the form says. Raises `Refused`."""
    if outcome == "cancelled":
        return Slot(airs_at=airing.airs_at, state="cancelled")
    if outcome == "aired":
        when = _moment(date, hour) if date or hour else airing.airs_at
        if when > at:
            raise Refused("Ця година ще не настала: ефір не міг відбутися.")
        return Slot(airs_at=when, state="aired")
    if outcome == "moved":
        when = _moment(date, hour)
        if when == airing.airs_at:
            raise Refused("Вкажіть іншу дату чи годину, ніж була.")
        return Slot(airs_at=when, state="planned")
    raise Refused("Оберіть, що сталося з ефіром.")


def _remark(text: str) -> str | None:
    if len(text) > _MOST_REMARK:
        raise Refused(f"Зауваження задовге: не більше ніж {_MOST_REMARK} знаків.")
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split()) or None


def _moment(date: str, hour: str) -> datetime:
    try:
        local = datetime.strptime(f"{date.strip()} {hour.strip()}", "%Y-%m-%d %H:%M")  # noqa: DTZ007
    except ValueError:
        raise Refused("Вкажіть дату й годину ефіру.") from None
    return local.replace(tzinfo=KYIV).astimezone(UTC)


class Pages:
    """Reads the broadcasts for each request: there are few, and fewer readers."""

    def __init__(
        self,
        airings: Airings,
        agreements: Agreements,
        links: Links,
        *,
        answer: Answering,
        page_url: Callable[[str], str],
        domain: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._airings = airings
        self._agreements = agreements
        self._links = links
        self._answer = answer
        self._page_url = page_url
        self._domain = domain
        self._clock = clock

    def router(self) -> APIRouter:
        """The routes, below the channel's address."""
        router = APIRouter(default_response_class=HTMLResponse)
        router.add_api_route("/", self.index, methods=["GET"], response_model=None)
        router.add_api_route(
            "/programmes/{key}.ics", self.programme_feed, methods=["GET"], response_model=None
        )
        router.add_api_route("/programmes/{key}", self.programme, methods=["GET"], response_model=None)
        router.add_api_route("/stations/{key}.ics", self.station_feed, methods=["GET"], response_model=None)
        router.add_api_route("/answer/{token}", self.ask, methods=["GET"], response_model=None)
        router.add_api_route("/answer/{token}", self.take, methods=["POST"], response_model=None)
        return router

    async def index(self) -> Response:
        """All programmes, by stations."""
        programmes = {
            airing.programme_key: (airing.station, airing.series) for airing in await self._airings.every()
        }
        stations: dict[str, list[tuple[str, str]]] = {}
        for key, (station, series) in sorted(programmes.items(), key=lambda item: item[1]):
            stations.setdefault(station, []).append((key, series))
        given = [
            (
                station,
                self._page_url(f"/stations/{key_of(station)}.ics"),
                [(series, self._page_url(f"/programmes/{key}")) for key, series in each],
            )
            for station, each in stations.items()
        ]
        return _page("index.html", stations=given)

    async def programme(self, key: str) -> Response:
        """One programme: what is to come first, then what was."""
        everything = await self._airings.of_programme(key)
        shown = [airing for airing in everything if airing.listed]
        if not shown:
            return _told("Такої програми немає.", 404)
        at = self._clock()
        seasons = [
            (each, count(airing for airing in everything if each.covers(airing)))
            for each in await self._agreements.of_programme(key)
        ]
        return _page(
            "programme.html",
            series=shown[-1].series,
            station=shown[-1].station,
            coming=[airing for airing in shown if airing.airs_at >= at],
            past=[airing for airing in reversed(shown) if airing.airs_at < at],
            seasons=seasons,
            feed=self._page_url(f"/programmes/{key}.ics"),
            station_feed=self._page_url(f"/stations/{shown[-1].station_key}.ics"),
            index=self._page_url("/"),
        )

    async def programme_feed(self, key: str) -> Response:
        """One programme's calendar."""
        found = await self._airings.of_programme(key)
        return self._feed(found, f"{found[-1].series}, {found[-1].station}" if found else "")

    async def station_feed(self, key: str) -> Response:
        """One station's calendar, of all its programmes."""
        found = await self._airings.of_station(key, self._clock() - _KEPT_IN_FEED)
        return self._feed(found, found[-1].station if found else "")

    def _feed(self, airings: list[Airing], name: str) -> Response:
        if not airings:
            return _told("Такого календаря немає.", 404)
        body = calendar_of(name, airings, domain=self._domain)
        return Response(body, media_type="text/calendar; charset=utf-8", headers=_HEADERS)

    async def ask(self, token: str) -> Response:
        """Show the broadcast, and ask what became of it. Changes nothing: mail scanners follow links."""
        airing = await self._named(token)
        return airing if isinstance(airing, Response) else self._form(airing, token)

    async def take(
        self,
        token: str,
        outcome: Annotated[str, Form()] = "",
        date: Annotated[str, Form()] = "",
        hour: Annotated[str, Form()] = "",
        remark: Annotated[str, Form()] = "",
    ) -> Response:
        """Record the station's answer; a later one takes its place."""
        airing = await self._named(token)
        if isinstance(airing, Response):
            return airing
        try:
            said = _remark(remark)
            slot = slot_of(airing, outcome, date, hour, self._clock())
        except Refused as error:
            return self._form(airing, token, problem=str(error))
        if await self._answer(airing.id, slot, said) is None:
            return _told(_NOT_LISTED, 410)
        return RedirectResponse(self._page_url(f"/answer/{token}"), 303, headers=_PRIVATE)

    async def _named(self, token: str) -> Airing | Response:
        id = self._links.read(token)
        if id is None:
            return _told(_NO_LINK, 404)
        airing = await self._airings.get(id)
        if airing is None or not airing.listed:
            return _told(_NOT_LISTED, 410)
        return airing

    def _form(self, airing: Airing, token: str, *, problem: str | None = None) -> Response:
        local = airing.airs_at.astimezone(KYIV)
        return _page(
            "answer.html",
            422 if problem else 200,
            private=True,
            airing=airing,
            problem=problem,
            action=self._page_url(f"/answer/{token}"),
            date=f"{local:%Y-%m-%d}",
            hour=f"{local:%H:%M}",
            most=_MOST_REMARK,
        )


def _page(template: str, status: int = 200, *, private: bool = False, **given: object) -> Response:
    return HTMLResponse(render(template, **given), status, headers=_PRIVATE if private else _HEADERS)


def _told(text: str, status: int) -> Response:
    return _page("told.html", status, private=True, text=text)
