"""What Facebook's errors mean, for calls that show something and for others."""

from typing import Any

import httpx
import pytest

from services.publisher.channels.facebook.refusals import (
    Aim,
    Duplicate,
    Gone,
    WrongParameter,
    failure_of,
    remedy_for,
)
from services.publisher.channels.interface import Away, Halted, Unconfirmed
from shared.bus import Later, Permanent

READS, SHOWS = Aim(permission="pages_read_engagement"), Aim(permission="pages_manage_posts", shows=True)
REGAIN = {"X-Business-Use-Case-Usage": '{"1": [{"type": "pages", "estimated_time_to_regain_access": 2}]}'}


def failure(
    aim: Aim, code: int, status: int = 400, headers: dict[str, str] | None = None, **of: Any
) -> Exception:
    error = {"message": f"(#{code}) words", "type": "OAuthException", "code": code, "fbtrace_id": "X1"} | of
    return failure_of(httpx.Response(status, json={"error": error}, headers=headers), aim)


@pytest.mark.parametrize("code", [4, 17, 32, 341, 613, 80001, 80002])
def test_throttling_is_waited_out(code: int) -> None:
    for aim in (READS, SHOWS):
        plain, told = failure(aim, code), failure(aim, code, headers=REGAIN)
        assert isinstance(plain, Later)
        assert isinstance(told, Later)
        assert (plain.after, plain.counted) == (0, True)
        assert (told.after, told.counted) == (120, False), "no attempt is used up while it says how long"


@pytest.mark.parametrize("code", [102, 190])
@pytest.mark.parametrize("subcode", [0, 458, 459, 460, 463, 464, 467])
def test_a_bad_token_stops_the_channel_with_a_remedy(code: int, subcode: int) -> None:
    halted = failure(SHOWS, code, 401, error_subcode=subcode, message="Malformed access token EAAB")
    assert isinstance(halted, Halted)
    assert halted.remedy == remedy_for(subcode)
    assert "EAAB" not in f"{halted} {halted.remedy}"


def test_each_reason_of_a_bad_token_has_its_own_remedy() -> None:
    remedies = {remedy_for(subcode) for subcode in (0, 458, 459, 460, 463, 464, 467)}
    assert len(remedies) == 7


@pytest.mark.parametrize("code", [10, 200, 210, 283, 299])
def test_a_missing_permission_stops_the_channel_and_is_named(code: int) -> None:
    halted = failure(READS, code, 403)
    assert isinstance(halted, Halted)
    assert "pages_read_engagement" in halted.remedy


@pytest.mark.parametrize(("code", "status"), [(1, 500), (2, 500), (2, 400), (999, 500), (1, 503)])
def test_after_a_passing_fault_the_post_may_exist(code: int, status: int) -> None:
    assert isinstance(failure(SHOWS, code, status), Unconfirmed)
    read = failure(READS, code, status)
    assert isinstance(read, Away if status == 503 else Later)


def test_an_unknown_error_that_calls_itself_transient_passes() -> None:
    assert isinstance(failure(SHOWS, 999, is_transient=True), Unconfirmed)
    assert isinstance(failure(READS, 100, is_transient=True), Later)
    assert isinstance(failure(SHOWS, 999), Permanent)


def test_an_answer_that_is_no_error_object_is_a_passing_fault() -> None:
    for status in (500, 502, 504):
        page = httpx.Response(status, text="<html>Sorry, something went wrong.</html>")
        assert isinstance(failure_of(page, SHOWS), Unconfirmed)
        assert isinstance(failure_of(page, READS), Later)


def test_a_duplicate_may_be_our_own_post() -> None:
    assert isinstance(failure(SHOWS, 506), Duplicate)
    assert isinstance(failure(SHOWS, 368, message="(#368) You've already posted this"), Duplicate)
    assert type(failure(SHOWS, 368)) is Permanent


def test_what_is_not_there_is_gone() -> None:
    assert isinstance(failure(SHOWS, 100, error_subcode=33), Gone)
    assert isinstance(failure(SHOWS, 803, 404), Gone)
    assert isinstance(failure(SHOWS, 100), WrongParameter)


def test_facebooks_own_words_reach_the_receipt() -> None:
    refused = failure(SHOWS, 1609005, error_user_msg="Посилання не відкривається")
    assert type(refused) is Permanent
    assert "Посилання не відкривається" in str(refused)
    assert "X1" in str(refused)
