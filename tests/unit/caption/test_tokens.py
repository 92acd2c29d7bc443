"""Counting tokens: exactly with a vocabulary, against an implementation of its own; and estimated."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.clip_vocabulary import END, byte_letters, merges_of, small_vocabulary
from wd14.caption.tokens import LARGEST_VOCABULARY, ClipTokens, EstimatedTokens
from wd14.errors import ModelError
from wd14.regular_files import FileTooLargeError, NotRegularFileError

WORDS = ["girl</w>", "lon</w>", "long</w>", "hai", "hair</w>", "),</w>", ",</w>", "ha", "(^</w>", "'t</w>"]
RANKS = {pair: rank for rank, pair in enumerate(merges_of(WORDS))}
PIECE = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|(?:[^\s\w]|_)+")


def reference(text: str) -> int:
    """CLIP's tokens, slowly: pieces, their bytes, and the best-ranked pair merged until there is none."""
    letters = byte_letters()
    number = 0
    for piece in PIECE.findall(re.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).lower()):
        parts = [letters[byte] for byte in piece.encode()]
        parts[-1] += END
        while known := [(RANKS[pair], at) for at, pair in enumerate(pairwise(parts)) if pair in RANKS]:
            _, at = min(known)
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        number += len(parts)
    return number


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> ClipTokens:
    path = tmp_path_factory.mktemp("vocabulary") / "tokenizer.json"
    path.write_bytes(small_vocabulary(WORDS))
    return ClipTokens(path)


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from("longhair girl,()^_'t1250 \t\nGÄé日e\u0301")))
def test_it_counts_as_clip_does(clip: ClipTokens, text: str) -> None:
    assert clip(text) == reference(text)
    assert clip.is_exact


def test_what_a_caption_costs(clip: ClipTokens) -> None:
    assert clip("1girl, long hair") == 5  # 1 girl , long hair
    assert clip("long_hair") == 3
    assert clip("(hair),") == 3
    assert clip("") == 0
    assert clip("girl " * 3000) == 3000  # nothing is cut off
    assert clip("\ud800") == 1  # half a character, as file names have them


@settings(max_examples=150, deadline=None)
@given(st.text())
def test_the_estimate_never_counts_other_scripts_too_low(clip: ClipTokens, text: str) -> None:
    foreign = "".join(letter for letter in text if not letter.isascii())
    assert EstimatedTokens()(foreign) >= clip(foreign)


def test_the_estimate_is_one_token_for_four_letters() -> None:
    estimated = EstimatedTokens()
    assert not estimated.is_exact
    assert estimated("1girl, solo, long hair") == 7
    assert estimated("simple_background, ^_^") == 10  # simp le _ back grou nd , and a byte each
    assert estimated("\ud800") == 1


def test_a_vocabulary_that_cannot_be_one(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text('{"model": 1}')
    with pytest.raises(ModelError, match=r"expected the tokenizer\.json of CLIP"):
        ClipTokens(path)
    with path.open("wb") as file:
        file.truncate(LARGEST_VOCABULARY + 1)
    with pytest.raises(FileTooLargeError):
        ClipTokens(path)
    with pytest.raises(NotRegularFileError):
        ClipTokens(tmp_path)
