"""In which language a text is written (py3langid: offline, the same answer every time)."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

SURE = 0.7
"""So likely must another language be for a paragraph to count as written in it."""

DOUBTFUL = 0.1
"""And so unlikely at least the one asked for: close relatives (no, nn, da) share the likelihood."""

MOST_FOREIGN = 0.3
"""The share of a text, in letters, that may be in other languages: quotations, titles, names."""

_NO_PROSE = re.compile(r"```.*?```|`[^`\n]*`|https?://\S+|[#@]\w+|[0-9]+", re.DOTALL)
_PARAGRAPH_END = re.compile(r"\n\s*\n")
_ENOUGH_LETTERS = 20


def foreign_to(text: str, language: str) -> str | None:
    """What is wrong with a text that should be in *language*; nothing when it is too short to tell.

    :param text: any text; code, links and hashtags do not count.
    :param language: ISO 639-1.
    """
    identifier = _identifier()
    letters: Counter[str] = Counter()
    for paragraph in _paragraphs(_NO_PROSE.sub(" ", text)):
        likely = dict(identifier.rank(paragraph))
        best = max(likely, key=lambda name: likely[name])
        is_foreign = likely[best] >= SURE and likely.get(language, 0.0) < DOUBTFUL
        letters[best if is_foreign else language] += _letters_in(paragraph)
    share = 1 - letters[language] / total if (total := letters.total()) else 0.0
    if share <= MOST_FOREIGN:
        return None
    found = next(name for name, _ in letters.most_common() if name != language)
    return f"{share:.0%} of it is not in the language '{language}' but seems to be in '{found}'"


def _paragraphs(text: str) -> list[str]:
    """The paragraphs that are long enough to tell their language; a text without any is one."""
    paragraphs = _PARAGRAPH_END.split(text)
    long = [paragraph for paragraph in paragraphs if _letters_in(paragraph) >= _ENOUGH_LETTERS]
    return long or [text]


def _letters_in(text: str) -> int:
    return sum(map(str.isalpha, text))


@cache
def _identifier() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
