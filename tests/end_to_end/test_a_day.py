"""What a department, a reader and a journalist live through, from the submission to the receipt."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from shared.events import now
from tests.city import City, complete, receipt
from tests.media import files_for
from tests.samples import submission
from tests.smtp import MailServer
from tests.waiting import eventually


async def submit(city: City, **fields: Any) -> httpx.Response:
    async with city.desk() as desk:
        files = await files_for(fields.get("kind", "news"), desk)
        return await desk.post("/v1/publications", json=submission(**{"media": files, **fields}))


def page(city: City, entry: dict[str, Any]) -> Path:
    """The file behind the address that the receipt names."""
    address: str = entry["url"]
    return city.site / urlsplit(address).path.strip("/") / "index.html"


def entry(found: dict[str, Any], target: str) -> dict[str, Any]:
    """The receipt's entry of one target."""
    [one] = [each for each in found["receipt"]["entries"] if each["target"] == target]
    return dict(one)


async def test_a_publication_reaches_site_and_mailboxes_and_its_receipt_says_so(
    city: City, smtp: MailServer
) -> None:
    answer = await submit(city, title="Міст на вулиці Шевченка відкрито")
    assert answer.status_code == 202
    accepted = answer.json()
    assert answer.headers["Location"] == f"{city.url('archive')}/v1/publications/{accepted['id']}"
    async with city.record() as record:
        found = await complete(record, accepted["id"])
        assert (found["state"], found["revision"]) == ("released", 1)
        site = entry(found, "site")
        assert (site["outcome"], site["revision"]) == ("published", 1)
        assert "Міст на вулиці Шевченка відкрито" in page(city, site).read_text()
        mail = entry(found, "mail")
        assert (mail["outcome"], mail["recipients"], mail["failed"]) == ("published", 2, 0)
        assert smtp.recipients() == {"olena@luchanka.example": 1, "maria@avers.example": 1}
        people = await record.get(accepted["receipt"])
        assert people.status_code == 200
        assert "text/html" in people.headers["Content-Type"]
        assert "Міст на вулиці Шевченка відкрито" in people.text


async def test_a_correction_and_a_withdrawal_follow_everywhere(city: City, smtp: MailServer) -> None:
    accepted = (await submit(city, title="Сесія відбудеться у четвер")).json()
    async with city.record() as record, city.desk() as desk:
        first = await complete(record, accepted["id"])
        corrected = await desk.put(
            f"/v1/publications/{accepted['id']}",
            json=submission(title="Сесія відбудеться у п’ятницю")
            | {"change": {"significance": "major", "note": "Змінено день."}},
            headers={"If-Match": '"1"'},
        )
        assert (corrected.status_code, corrected.json()["revision"]) == (202, 2)

        async def second() -> dict[str, Any] | None:
            found = await complete(record, accepted["id"])
            return found if found["revision"] == 2 else None

        found = await eventually(second)
        assert (entry(found, "site")["outcome"], entry(found, "mail")["outcome"]) == ("updated", "updated")
        assert entry(found, "site")["url"] == entry(first, "site")["url"]
        text = page(city, entry(found, "site")).read_text()
        assert "Сесія відбудеться у п’ятницю" in text
        assert "Змінено день." in text
        assert smtp.recipients() == {"olena@luchanka.example": 2, "maria@avers.example": 2}

        taken_back = await desk.post(
            f"/v1/publications/{accepted['id']}/withdrawal", json={"reason": "Сесію скасовано."}
        )
        assert taken_back.status_code == 202

        async def withdrawn() -> dict[str, Any] | None:
            found = await complete(record, accepted["id"])
            return found if found["state"] == "withdrawn" else None

        found = await eventually(withdrawn)
        assert entry(found, "site")["outcome"] == "removed"
        notice = page(city, entry(first, "site")).read_text()
        assert "Сесію скасовано." in notice
        assert "контактної мережі" not in notice
        assert smtp.recipients() == {"olena@luchanka.example": 3, "maria@avers.example": 3}


async def test_an_embargo_is_for_accredited_media_until_its_hour(city: City, smtp: MailServer) -> None:
    hour = now() + timedelta(seconds=8)
    accepted = (await submit(city, title="Бюджет на 2027 рік", embargo_until=hour.isoformat())).json()
    async with city.record() as record:

        async def advanced() -> dict[str, Any] | None:
            found = await receipt(record, accepted["id"])
            entries = found["receipt"]["entries"] if found else []
            return found if any(each["target"] == "advance" for each in entries) else None

        found = await eventually(advanced, within=7)
        assert found["state"] == "embargoed"
        assert not found["receipt"]["complete"]
        assert smtp.recipients() == {"olena@luchanka.example": 1}
        assert "ЕМБАРГО" in smtp.taken[0].subject
        assert not any("Бюджет" in file.read_text() for file in city.site.rglob("*.html"))
        found = await complete(record, accepted["id"])
        assert found["state"] == "released"
        assert smtp.recipients() == {"olena@luchanka.example": 1, "maria@avers.example": 1}
        assert page(city, entry(found, "site")).exists()


async def test_a_scheduled_publication_appears_at_its_hour(city: City, smtp: MailServer) -> None:
    hour = now() + timedelta(seconds=5)
    accepted = (await submit(city, title="Графік на свята", release_at=hour.isoformat())).json()
    async with city.record() as record:

        async def known() -> dict[str, Any] | None:
            return await receipt(record, accepted["id"])

        found = await eventually(known)
        assert found["state"] == "scheduled"
        found = await complete(record, accepted["id"])
        assert found["state"] == "released"
        assert found["released_at"] >= hour.isoformat()[:19]
        assert smtp.recipients() == {"olena@luchanka.example": 1, "maria@avers.example": 1}


async def test_every_kind_goes_all_the_way(city: City) -> None:
    kinds = (
        "news",
        "announcement",
        "press_release",
        "explainer",
        "regulatory_act",
        "event",
        "photo_report",
        "video",
        "broadcast",
        "interview",
    )
    async with city.record() as record:
        for kind in kinds:
            answer = await submit(city, kind=kind, title=f"Публікація виду {kind}")
            assert answer.status_code == 202, answer.text
            found = await complete(record, answer.json()["id"])
            assert found["kind"] == kind
            assert page(city, entry(found, "site")).exists()
        listed = (await record.get("/v1/publications", params={"limit": 3})).json()
        assert [item["kind"] for item in listed["items"]] == list(kinds[:-4:-1])
        following = (
            await record.get("/v1/publications", params={"limit": 3, "after": listed["next"]})
        ).json()
        assert [item["kind"] for item in following["items"]] == list(kinds[-4:-7:-1])
