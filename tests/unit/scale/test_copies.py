"""Which pictures come twice, whatever fits into memory."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from wd14.errors import ScaleError
from wd14.scale.copies import CopyGroup, CopySearch, confirmed


@pytest.mark.parametrize("at_once", [1 << 20, 64], ids=["in memory", "on disk"])
def test_every_copy_is_counted_and_the_largest_groups_are_named(
    at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against a plain count: 40 shards, many copies, one picture over and over, some that could not be read."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    random = np.random.default_rng(5)
    shards = [random.integers(1, 1 << 63, 50, np.uint64) * np.uint64(2) for _ in range(40)]
    for number, digests in enumerate(shards):
        digests[random.integers(0, 50, 5)] = random.integers(1, 40, 5).astype(np.uint64) << np.uint64(58)
        digests[7:12] = 99
        digests[0] = 0
        digests[1] = shards[number // 2][2]
    seen = Counter(int(digest) for digests in shards for digest in digests if digest)
    repeated = {digest: times for digest, times in seen.items() if times > 1}

    with CopySearch(2000, most_groups=5, most_rows=3, at_once=at_once) as search:
        for shard, digests in enumerate(shards):
            search.add(shard, digests)
        assert bool(list(tmp_path.iterdir())) == (at_once == 64)
        copies = search.find()

    assert (copies.groups, copies.pictures) == (len(repeated), sum(repeated.values()))
    assert [group.size for group in copies.named] == sorted(repeated.values(), reverse=True)[:5]
    assert copies.named[0] == CopyGroup(99, 200, ((0, 7), (0, 8), (0, 9)))
    for group in copies.named:
        places = [(s, int(r)) for s, each in enumerate(shards) for r in np.flatnonzero(each == group.digest)]
        assert group.size == seen[group.digest]
        assert list(group.places) == places[:3]
    assert list(tmp_path.iterdir()) == []


def test_a_full_temporary_folder_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with CopySearch(100, at_once=16) as search, pytest.raises(ScaleError, match="TMPDIR"):
        search.add(0, np.arange(1, 101, dtype=np.uint64))


def test_pictures_that_only_begin_alike_are_not_named_as_copies() -> None:
    groups = [CopyGroup(1, 3, ((0, 4), (2, 0), (2, 9))), CopyGroup(2, 30, ((0, 1), (1, 1)))]
    ids = {(0, 4): "x", (2, 0): "y", (2, 9): "x", (0, 1): "z", (1, 1): "z"}
    asked = []

    def read(shard: int, rows: object) -> list[tuple[str, str]]:
        asked.append((shard, rows))
        assert isinstance(rows, list)
        return [(f"{shard}/{row}", ids[shard, row]) for row in rows]

    assert confirmed(groups, read) == [(2, ["0/4", "2/9"]), (30, ["0/1", "1/1"])]
    assert asked == [(0, [1, 4]), (1, [1]), (2, [0, 9])]
