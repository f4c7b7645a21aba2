"""Whether a text is no work at all: repeated, cut off, filler, blanks, a refusal, or the task told back.

A good text may quote any of these: what stands in quotation marks or is code does not count.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from airflow_provider_vibe.runtime.quality import wording
from airflow_provider_vibe.runtime.quality.subject import Subject
from airflow_provider_vibe.tools.builtin.phrases import folded
from airflow_provider_vibe.tools.builtin.readability import is_unspaced, sentences_in, words_in

MOST_REPEATED = 0.5
"""The share of the runs of four words in any stretch of 60 that may have been there before."""

MOST_FILLER = 0.15
"""The share of filler words: a text about "lorem ipsum" has fewer."""

MOST_ECHOED = 0.6
LEAST_ECHOED = 0.8
"""A text tells the task back when it is made of it by the one share, and holds it by the other."""

_STRETCH = 60
_LEAST_RUNS = 10
_LEAST_WORDS_OF_A_TASK = 5
_LEAST_WORDS_TO_BE_CUT_OFF = 30
_LONGEST_UNFINISHED = 5
_LONGEST_LINE_OF_VERSE = 48
_LONGEST_ENDING = 400
_LONGEST_TEXT = 200_000
"""Characters; of a longer one the beginning and the end are looked at: it takes less than a second."""

_FENCE = re.compile(r"^```.*$", re.MULTILINE)
_CODE_IN_LINE = re.compile(r"`[^`\n]+`")
_QUOTED = re.compile(
    r'"[^"]{1,400}?"'
    r"|\u201c[^\u201c\u201d]{1,400}\u201d"
    r"|\u201e[^\u201e\u201c\u201d]{1,400}[\u201c\u201d]"
    r"|\u00ab[^\u00ab\u00bb]{1,400}\u00bb"
    r"|\u300c[^\u300c\u300d]{1,400}\u300d"
)
_SENTENCE_END = re.compile(
    r"(?<![.!?\u2026])[.!?\u2026]+[\"'\u201d\u2019\u00bb)\]*_]*(?=\s)|[\u3002\uff01\uff1f]+[\u300d\u300f\uff09\u201d]*"
)
_STARTS_NO_PROSE = re.compile(r"\s*(?:#|[-*+\u2022]\s|\d+[.)]\s|\||>|```|~~~)")
_ENDS_NO_PROSE = re.compile(r"(?:#\w+|https?://\S+)\W*$")
_ENDS_OPEN = re.compile(r"(?:\w|\w[,;\-\u2013\u2014(])[*_]*\s*\Z")


def placeholder_issue(subject: Subject) -> str | None:
    """What makes the text of *subject* no work; None when it is some."""
    text = subject.prose
    if not _has_words(text):
        return "it has no words"
    own, seen = _ends_of(_without_quotations(text)), _ends_of(text)
    issues: tuple[Callable[[], str | None], ...] = (
        lambda: "the model was cut off at its token limit" if subject.is_truncated else None,
        lambda: _refusal(own),
        lambda: _filler(own),
        lambda: _blank(own),
        lambda: _echo(seen, subject.asked),
        lambda: _repetition(seen),
        lambda: _cut_off(subject.text if text == subject.text else ""),
    )
    return next(filter(None, (issue() for issue in issues)), None)


def _has_words(text: str) -> bool:
    return re.search(r"\w", text) is not None


def _ends_of(text: str) -> str:
    if len(text) <= _LONGEST_TEXT:
        return text
    return f"{text[: _LONGEST_TEXT // 2]}\n\n{text[-_LONGEST_TEXT // 2 :]}"


def _without_quotations(text: str) -> str:
    """*text* without code and quotations, in one case; as it is when nothing else is in it."""
    plain = _QUOTED.sub(" ", _CODE_IN_LINE.sub(" ", _without_blocks_of_code(text)))
    return folded(plain if _has_words(plain) else text).replace("\u2019", "'")


def _without_blocks_of_code(text: str) -> str:
    """*text* without what stands between two fences; one expression for both would take quadratic time."""
    kept, block, end = [], None, 0
    for fence in _FENCE.finditer(text):
        if block is None:
            block = fence.start()
        elif not fence[0].strip("` \t"):
            kept.append(text[end:block])
            block, end = None, fence.end()
    return " ".join([*kept, text[end:]])


def _refusal(own: str) -> str | None:
    opening = own[: wording.OPENING]
    if _has_any(wording.REFUSALS, opening):
        return "it is a refusal"
    asks_back = _has_any(wording.ASKS_BACK, opening)
    unable = [part for part in sentences_in(opening) if _has_any(wording.INABILITY, part)]
    regrets = _has_any(wording.APOLOGIES, opening) and any(_has_any(wording.WORK, part) for part in unable)
    if unable and (asks_back or regrets):
        return "it is a refusal"
    if asks_back and _has_any(wording.ASSURANCES, own):
        return "it asks back instead of doing the work"
    return None


def _has_any(expressions: Iterable[str], text: str) -> bool:
    return any(re.search(expression, text) for expression in expressions)


def _filler(own: str) -> str | None:
    words = words_in(own)
    filler = sum(word in wording.FILLER for word in words)
    has_name = "lorem" in words or "ipsum" in words
    return "it is filler text (lorem ipsum)" if has_name and filler > MOST_FILLER * len(words) else None


def _blank(own: str) -> str | None:
    for expression in wording.BLANKS:
        if found := re.search(expression, own, re.MULTILINE):
            return f"it has a blank to be filled in: {found[0].strip()[:60]}"
    return None


def _echo(text: str, asked: Iterable[str]) -> str | None:
    runs = _runs(words_in(folded(text)), 3)
    for task in asked:
        words = words_in(folded(task))
        of_task = set(_runs(words, 3))
        is_told = len(of_task.intersection(runs)) >= LEAST_ECHOED * len(of_task)
        is_most = sum(run in of_task for run in runs) >= MOST_ECHOED * len(runs)
        if len(words) >= _LEAST_WORDS_OF_A_TASK and is_told and is_most:
            return "it tells the task back"
    return None


def _runs(words: list[str], length: int) -> list[tuple[str, ...]]:
    return list(zip(*(words[start:] for start in range(length)), strict=False))


def _repetition(text: str) -> str | None:
    words = words_in(folded(text))
    for start in range(0, max(1, len(words) - _STRETCH // 2), _STRETCH // 2):
        stretch = words[start : start + _STRETCH]
        runs = _runs(stretch, 4)
        if len(runs) >= _LEAST_RUNS and len(set(runs)) <= (1 - MOST_REPEATED) * len(runs):
            return f"it repeats itself: '{' '.join(stretch[-8:])}'"
    return None


def _cut_off(text: str) -> str | None:
    """The text ends in the middle of a sentence or of a block of code."""
    if len(re.findall(r"^```", text, re.MULTILINE)) % 2:
        return "it is cut off: a block of code has no end"
    lines = text.strip().split("\n\n")[-1].splitlines()
    if not lines or not _ENDS_OPEN.search(lines[-1][-_LONGEST_ENDING:]):
        return None
    last_words = words_in(lines[-1])
    if len(last_words) >= 4 and last_words[-1].casefold() in wording.DANGLING:
        return f"it is cut off after '{' '.join(last_words[-4:])}'"
    is_no_prose = _STARTS_NO_PROSE.match(lines[-1]) or _ENDS_NO_PROSE.search(lines[-1][-_LONGEST_ENDING:])
    if is_no_prose or _is_verse(lines):
        return None
    *before, tail = _SENTENCE_END.split(" ".join(lines))
    is_long = len(words_in(text)) >= _LEAST_WORDS_TO_BE_CUT_OFF
    if before and is_long and len(words_in(tail)) >= _LONGEST_UNFINISHED:
        return f"it is cut off after '{tail.strip()[-40:]}'"
    return None


def _is_verse(lines: list[str]) -> bool:
    is_unspaced_script = any(is_unspaced(char) for char in lines[0][:20])
    return len(lines) > 1 and not is_unspaced_script and max(map(len, lines)) <= _LONGEST_LINE_OF_VERSE
