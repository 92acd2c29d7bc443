"""Summaries of shards: what they say of their rows, and that studies put together are the study of all rows."""

from __future__ import annotations

import hashlib
import io
import itertools
import zipfile
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.planted_set import LABELS, THRESHOLD, planted
from wd14.curation.planning import make_plan
from wd14.curation.study import Study
from wd14.errors import ScaleError
from wd14.scale.summary import SummaryWriter, merged_study, read_summary
from wd14.types import FloatArray, Labels

ROWS = 60


def _scores() -> FloatArray:
    scores = np.random.default_rng(3).random((ROWS, len(LABELS)), np.float32) * np.float32(0.3)
    for row, tags in enumerate(planted(ROWS)):
        scores[row, [LABELS.names.index(tag) for tag in tags]] += np.float32(0.6)
    return scores


SCORES = _scores()
NAMES = [f"sub/{row}.png" if row != 9 else "bad\udcff.png" for row in range(ROWS)]
DIGESTS = [hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest() for name in NAMES]


def _summary(first: int, end: int, *, every: int = 1, failed: frozenset[int] = frozenset()) -> bytes:
    writer = SummaryWriter(LABELS, every, first)
    for row in range(first, end):
        if row in failed:
            writer.skip(DIGESTS[row])
        else:
            kept = np.flatnonzero(SCORES[row] >= THRESHOLD)
            writer.add(kept, SCORES[row], name=NAMES[row], digest=DIGESTS[row])
    return writer.to_bytes()


def _study(rows: list[int]) -> Study:
    study = Study(LABELS)
    for row in rows:
        study.add(np.flatnonzero(SCORES[row] >= THRESHOLD), SCORES[row], name=NAMES[row], digest=DIGESTS[row])
    return study


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(0, ROWS), max_size=5).map(sorted), failed=st.frozensets(st.integers(0, ROWS - 1)))
def test_studies_of_shards_are_the_study_of_all_rows(cuts: list[int], failed: frozenset[int]) -> None:
    edges = [0, *cuts, ROWS]
    parts = [_summary(first, end, failed=failed) for first, end in itertools.pairwise(edges)]
    merged = merged_study(map(read_summary, parts), LABELS)
    whole = _study([row for row in range(ROWS) if row not in failed])
    one, other = merged.state(), whole.state()
    for part in fields(one):
        if part.name != "samples":
            np.testing.assert_array_equal(getattr(one, part.name), getattr(other, part.name))
    assert merged.counts.tolist() == whole.counts.tolist()
    if len(failed) < ROWS // 2:
        plans = (make_plan(study, purpose="character", trigger_words=["arona"]) for study in (merged, whole))
        assert next(plans) == next(plans)


def test_samples_of_one_shard_come_back_whole() -> None:
    before, after = _study(list(range(ROWS))), merged_study([read_summary(_summary(0, ROWS))], LABELS)
    assert [sample.name for sample in after.samples] == [sample.name for sample in before.samples]
    for one, other in zip(after.samples, before.samples, strict=True):
        np.testing.assert_array_equal(one.scores, other.scores)


def test_all_rows_are_counted_where_every_seventh_is_studied() -> None:
    failed = frozenset({3, 14, 40})
    parts = [read_summary(_summary(first, first + 20, every=7, failed=failed)) for first in (0, 20, 40)]
    others = [row for row in range(ROWS) if row not in failed]
    assert sum(part.pictures for part in parts) == len(others)
    counts = sum(part.counts for part in parts)
    np.testing.assert_array_equal(counts, (SCORES[others] >= THRESHOLD).sum(axis=0))
    digests = np.concatenate([part.digests for part in parts])
    assert digests.tolist() == [int.from_bytes(digest[:8], "big") for digest in DIGESTS]
    study = merged_study(parts, LABELS)
    assert [study.name(row) for row in range(study.pictures)] == [NAMES[row] for row in range(0, ROWS, 7) if row != 14]


def test_pictures_that_are_not_studied_are_known_to_be_there() -> None:
    part = read_summary(_summary(0, 20, every=7))
    digest = DIGESTS[1][:8]
    assert merged_study([part], LABELS).holds([digest.hex()]) == 0
    assert merged_study([part], LABELS, wanted=[int.from_bytes(digest, "big"), 5]).holds([digest.hex()]) == 1


def test_bytes_hold_no_time_and_no_pickle() -> None:
    data = _summary(0, 20)
    assert data == _summary(0, 20)
    members = zipfile.ZipFile(io.BytesIO(data)).infolist()
    assert {member.date_time[0] for member in members} == {1980}
    assert {array.dtype.hasobject for array in np.load(io.BytesIO(data), allow_pickle=False).values()} == {False}


def test_a_shard_without_pictures() -> None:
    writer = SummaryWriter(LABELS, 1, 0)
    writer.skip(b"")
    empty = read_summary(writer.to_bytes())
    assert (empty.pictures, empty.digests.tolist(), merged_study([empty], LABELS).pictures) == (0, [0], 0)


def test_what_is_damaged_or_of_another_model_is_named() -> None:
    data = bytearray(_summary(0, 20))
    with pytest.raises(ScaleError, match="is of a model with 35 tags; this one has 1"):
        merged_study([read_summary(bytes(data))], Labels(("a",), ("general",)))
    for cut in (0, 10, len(data) // 2, len(data) - 5):
        with pytest.raises(ScaleError, match=r"summaries/00003\.npz is damaged"):
            merged_study([read_summary(bytes(data[:cut]), "summaries/00003.npz")], LABELS)
    at = data.index(NAMES[3].encode())
    data[at] ^= 1
    with pytest.raises(ScaleError, match="damaged"):
        merged_study([read_summary(bytes(data))], LABELS)
