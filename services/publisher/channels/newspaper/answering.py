"""The editors' answers: what a form says, and what it changes in an issue."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from uuid import UUID

from services.publisher.channels.newspaper.deadlines import KYIV
from services.publisher.channels.newspaper.issue import Answer, Issue, Item, Verdict

_LONGEST_REMARK, _LONGEST_NUMBER, _LAST_PAGE = 1000, 20, 200
_AHEAD = timedelta(days=31)


def read_form(form: Mapping[str, str], issue: Issue, now: datetime) -> Answer | dict[str, str]:
    """The answer, or what is wrong with each field, in Ukrainian."""
    fields = {name: value.strip() for name, value in form.items()}
    try:
        verdict = Verdict(fields.get("verdict", ""))
    except ValueError:
        return {"verdict": "Оберіть, що сталося з матеріалом."}
    remark = fields.get("remark", "")
    errors: dict[str, str] = {}
    if len(remark) > _LONGEST_REMARK:
        errors["remark"] = f"Не більше {_LONGEST_REMARK} знаків."
    if verdict is not Verdict.PRINTED and not remark:
        dropped = verdict is Verdict.DROPPED
        errors["remark"] = "Напишіть, чому не надруковано." if dropped else "Напишіть, що скорочено."
    if verdict is Verdict.DROPPED:
        return errors or Answer(verdict=verdict, at=now, remark=remark)
    number = fields.get("number", "")
    if not number or len(number) > _LONGEST_NUMBER:
        errors["number"] = "Вкажіть номер випуску."
    day = _day(fields.get("date", ""))
    error = _wrong_day(day, issue, now)
    if error is not None:
        errors["date"] = error
    page = fields.get("page", "")
    if not (page.isascii() and page.isdecimal() and 1 <= int(page[:6]) <= _LAST_PAGE):
        errors["page"] = "Вкажіть сторінку числом, від 1."
    if errors or day is None:
        return errors
    return Answer(
        verdict=verdict, at=now, number=number, day=day.isoformat(), page=int(page), remark=remark or None
    )


def _day(text: str) -> date | None:
    """As a browser's date field sends it, or as people write it."""
    parts = text.split(".")
    if len(parts) == 3:  # noqa: PLR2004  # day, month, year
        text = "-".join((parts[2], parts[1].zfill(2), parts[0].zfill(2)))
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _wrong_day(day: date | None, issue: Issue, now: datetime) -> str | None:
    if day is None:
        return "Вкажіть дату випуску, наприклад 26.11.2026."
    first = (issue.closed_at or issue.deadline).astimezone(KYIV).date()
    if day < first:
        return f"Випуск не міг вийти раніше, ніж його здано: {first:%d.%m.%Y}."
    if day > now.astimezone(KYIV).date() + _AHEAD:
        return "Ця дата надто далеко в майбутньому."
    return None


def answered(issue: Issue, publication_id: UUID, answer: Answer) -> Issue | None:
    """The issue with one more answer; the same one again (a form sent twice) changes nothing."""
    item = issue.item(publication_id)
    if item is None or issue.open:
        return None
    if item.answer is not None and item.answer.model_copy(update={"at": answer.at}) == answer:
        return issue
    return _with(issue, item, answers=(*item.answers, answer), settled=False)


def told(issue: Issue, publication_id: UUID, answers: int) -> Issue | None:
    """The issue once the receipt has heard of so many answers."""
    item = issue.item(publication_id)
    if item is None or len(item.answers) != answers:
        return None
    return _with(issue, item, settled=True)


def stopped(issue: Issue, publication_id: UUID, reason: str) -> Issue | None:
    """The issue once an item in it was withdrawn after the package had gone out."""
    item = issue.item(publication_id)
    return None if item is None else _with(issue, item, stopped=True, reason=reason)


def stop_sent(issue: Issue, publication_id: UUID) -> Issue | None:
    """The issue once the editors were asked not to print the item."""
    item = issue.item(publication_id)
    return None if item is None else _with(issue, item, stop_sent=True)


def _with(issue: Issue, item: Item, **changes: object) -> Issue:
    return issue.put(item.model_copy(update=changes))
