"""Search: words in any form, of what is released and stands."""

import pytest

from services.archive.rebuilding import rebuild
from services.archive.store import Store
from shared.publication import Fact
from tests.samples import corrected, fact, publication, withdrawn
from tests.services.archive.conftest import OPERATOR, Keep, Reader


@pytest.mark.parametrize(
    "query",
    ["робота", "роботи", "РОБОТАМИ", "роботу кладовище", "п'ятниця", "п’ятницю", "міська рада"],
)
async def test_any_form_of_a_word_finds_every_other(reader: Reader, query: str) -> None:
    found = publication(
        content={"title": "Роботи на кладовищі", "lead": "Міської ради рішення.", "body": "До п’ятниці."}
    )
    other = publication(content={"title": "Тариф", "lead": "Лист.", "body": "Кава"})
    await reader.put(fact(found), fact(other))
    assert [item["id"] for item in (await reader.listed(q=query))["items"]] == [str(found.id)]


@pytest.mark.parametrize("query", ["!?", "$where", "слон", "тролейбус слон", '"'])
async def test_what_is_not_there_is_not_found(reader: Reader, query: str) -> None:
    await reader.put(fact(publication()))
    assert (await reader.listed(q=query))["items"] == []


async def test_only_what_stands_is_found_even_with_the_key(reader: Reader) -> None:
    gone, embargoed = publication(), publication(released_at=None)
    await reader.put(fact(gone), fact(withdrawn(gone), Fact.WITHDRAWN), fact(embargoed, Fact.ADVANCE))
    answer = await reader.client.get("/v1/publications", params={"q": "тролейбус"}, headers=OPERATOR)
    assert answer.json()["items"] == []


async def test_a_correction_is_found_by_its_own_words(reader: Reader) -> None:
    first = publication()
    await reader.put(fact(first), fact(corrected(first, title="Автобус", lead="Їде.", body="Скоро.")))
    assert (await reader.listed(q="тролейбус"))["items"] == []
    assert len((await reader.listed(q="автобуси"))["items"]) == 1


async def test_what_an_earlier_version_recorded_becomes_findable(
    reader: Reader, store: Store, keep: Keep
) -> None:
    await keep(fact(publication()))
    for renew in (store.find_words, lambda: rebuild(store)):
        await store.publications.update_many({}, {"$unset": {"words": True}})
        assert (await reader.listed(q="тролейбус"))["items"] == []
        await renew()
        assert len((await reader.listed(q="тролейбус"))["items"]) == 1


async def test_the_page_searches_too_and_overlooks_what_it_does_not_know(reader: Reader) -> None:
    one = publication()
    await reader.put(fact(one))
    found = await reader.client.get("/", params={"q": "тролейбуси", "utm_source": "site"})
    assert one.content.title in found.text
    missed = await reader.client.get("/", params={"q": "слони"})
    assert "нічого не знайдено" in missed.text


async def test_a_filter_that_does_not_exist_is_refused_by_name(reader: Reader) -> None:
    answer = await reader.client.get("/v1/publications", params={"topics": "transport"})
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["field"] == "topics"
    assert "topic" in error["message"].split(": ")[1].split(", ")


async def test_a_withdrawn_text_is_not_handed_out_without_the_key(reader: Reader) -> None:
    first = publication("event")
    await reader.put(fact(first), fact(withdrawn(first), Fact.WITHDRAWN))
    address = f"/v1/publications/{first.id}"
    for path in (address, "/v1/publications"):
        answer = await reader.client.get(path)
        assert answer.status_code == 200
        assert first.content.title in answer.text
        assert "Дані не підтвердилися." in answer.text
        for secret in ("Лесі Українки", "контактної мережі", "Театральний майдан", "Ткачук"):
            assert secret not in answer.text
    whole = (await reader.client.get(address, headers=OPERATOR)).json()
    assert whole["body"] == first.content.body
    assert whole["event"]["place"] == "Театральний майдан"
