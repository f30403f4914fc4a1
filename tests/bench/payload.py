"""What is handed in: news of about 4 kB, most of it Ukrainian text of two bytes a letter."""

import json
from typing import Any

from tests.samples import submission

_PARAGRAPH = (
    "Управління транспорту та зв’язку повідомляє, що рух громадського транспорту вулицею **Лесі Українки** "
    "буде обмежено на час ремонту контактної мережі. Тролейбуси курсуватимуть об’їзним шляхом через "
    "Театральний майдан, зупинки на цьому відрізку тимчасово перенесено.\n\n"
)
_PARAGRAPHS = 7


def text(number: int) -> dict[str, Any]:
    """The fields of a submission that make it as long as it is, and different from others."""
    title = f"Тролейбус змінює маршрут: повідомлення № {number}"
    return {"title": title, "body": _PARAGRAPH * _PARAGRAPHS}


def many(count: int) -> list[bytes]:
    """Bodies of submissions that differ."""
    return [json.dumps(submission(**text(number)), ensure_ascii=False).encode() for number in range(count)]
