"""A failure's reason in one short sentence, for a narrow column of the host's page."""

from __future__ import annotations

import re

#: Characters of the longest word and of the whole. The column is about 270 pixels wide and clips what it cannot wrap.
LONGEST_WORD = 30
LONGEST_REASON = 120

_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://([^\s/'\"<>)\]]*)[^\s'\"<>)\]]*(?<![.,;:!?])", re.IGNORECASE)
#: A path from the root, from the home folder, of a Windows drive or share; quoted ones may have spaces.
_ROOT = r"(?:~?/|[A-Za-z]:[\\/]|\\\\)"
_QUOTED_PATH = re.compile(rf"(?<=['\"]){_ROOT}[^'\"]*(?=['\"])")
_PATH = re.compile(rf"(?<![\w.~-]){_ROOT}[^\s'\"<>()\[\],;]*(?<![.:!?])")
_END_OF_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


def short_reason(text: str) -> str:
    """The first sentence of a reason, at most `LONGEST_REASON` characters of it.

    Paths are shortened to their last part, URLs to their host, and long words in their middle.
    """
    text = _URL.sub(lambda found: found[1], text)
    for path in (_QUOTED_PATH, _PATH):
        text = path.sub(_last_part, text)
    sentence = _END_OF_SENTENCE.split(" ".join(map(_short_word, text.split())))[0]
    if not sentence:
        return "View Output has the reason."
    if len(sentence) <= LONGEST_REASON:
        return sentence
    return sentence[: LONGEST_REASON - 1].rpartition(" ")[0].rstrip(" ,;:(") + " …"


def _last_part(path: re.Match[str]) -> str:
    return re.split(r"[\\/]", path[0].rstrip("\\/"))[-1] or path[0]


def _short_word(word: str) -> str:
    if len(word) > LONGEST_WORD and "/" in word:
        word = word.rpartition("/")[2] or word
    if len(word) <= LONGEST_WORD:
        return word
    half = (LONGEST_WORD - 1) // 2
    return f"{word[:half]}…{word[-half:]}"
