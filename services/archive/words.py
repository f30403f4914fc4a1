"""The words that a publication is found by: base forms, so that «роботи» finds «робота».

MongoDB's text index knows no Ukrainian, so the base forms are found here, of texts and of queries alike, and
compared as they are: https://www.mongodb.com/docs/manual/reference/text-search-languages/
"""

import re

from simplemma import lemmatize

_APOSTROPHES = str.maketrans(dict.fromkeys("’ʼ`‘´ʹ′", "'") | {"\u0301": None, "\u00ad": None})
_WORD = re.compile(r"\w+(?:'\w+)*")
_LONGEST = 60
"""Letters; what is longer is no word, and an index entry has its bounds."""
_AMISS = {
    "ради": "рада",
    "рад": "рада",
    "радам": "рада",
    "радами": "рада",
    "радах": "рада",
}
"""Forms of the words a council says most, where the dictionary errs."""


def base_forms(text: str) -> list[str]:
    """Each word's base form once, in the alphabet's order: in lower case, with a plain apostrophe."""
    words = set(_WORD.findall(text.translate(_APOSTROPHES).lower()))
    return sorted({_base_form(word) for word in words if len(word) <= _LONGEST})


def _base_form(word: str) -> str:
    return _AMISS.get(word) or lemmatize(word, lang="uk").translate(_APOSTROPHES).lower()
