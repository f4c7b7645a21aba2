"""Whether a phrase occurs in a text, in any language and however it is written."""

from __future__ import annotations

import re
import unicodedata

from airflow_provider_vibe.tools.builtin.readability import is_unspaced


def occurs(phrase: str, text: str) -> bool:
    """Whether *phrase* stands in *text* as whole words, whatever its case, its line breaks, its composition.

    In Chinese and Japanese, where no space ends a word, it may stand anywhere.
    """
    words = folded(phrase).split()
    inner = r"\s+".join(map(re.escape, words))
    before = "" if is_unspaced(words[0][0]) else r"(?<!\w)"
    after = "" if is_unspaced(words[-1][-1]) else r"(?!\w)"
    return re.search(f"{before}{inner}{after}", folded(text)) is not None


def folded(text: str) -> str:
    """*text* without what case and composition make of it (Unicode 3.13, canonical caseless matching)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
