"""Parquet files of newer versions than the one that reads them."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.sources import read
from wd14.data.sources.parquet_footer import without_size_statistics

NEWER = Path(__file__).parents[2] / "golden" / "reader" / "pyarrow-26.parquet"


def footer_of(raw: bytes) -> bytes:
    length = int.from_bytes(raw[-8:-4], "little")
    return raw[-8 - length : -8]


def file_with(footer: bytes) -> io.BytesIO:
    return io.BytesIO(b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1")


def test_a_file_that_a_newer_version_wrote() -> None:
    seen = read(NEWER, append_tags=True, keep_columns=True)
    assert seen.failed == {}
    assert (seen.names, seen.captions) == (["0.jpg", "1.jpg", "2.jpg"], ["a", "b", "c"])
    assert [sample.columns["n"] for sample in seen.samples] == [1, 2, 3]
    assert [sample.columns["tags"] for sample in seen.samples] == [["x"], [], None]
    assert all(sample.read().startswith(b"\xff\xd8\xff") for sample in seen.samples)


def test_only_the_size_statistics_are_gone() -> None:
    raw = NEWER.read_bytes()
    footer = without_size_statistics(footer_of(raw))
    assert len(footer) < len(footer_of(raw))
    assert without_size_statistics(footer) == footer
    before, after = pq.read_metadata(NEWER), pq.read_metadata(file_with(footer))
    assert after.schema.equals(before.schema)
    assert after.metadata == before.metadata
    if pa.__version__ != "19.0.0":  # which cannot list the columns of `before`
        for group in range(before.num_row_groups):
            assert after.row_group(group).column(0).statistics == before.row_group(group).column(0).statistics
            assert after.row_group(group).to_dict() == before.row_group(group).to_dict()


@settings(deadline=None, max_examples=300)
@given(place=st.integers(0, 10_000), byte=st.integers(0, 255), cut=st.integers(0, 10_000))
def test_damaged_footers_raise_or_pass(place: int, byte: int, cut: int) -> None:
    footer = bytearray(footer_of(NEWER.read_bytes()))
    footer[place % len(footer)] = byte
    if cut % 3 == 0:
        del footer[cut % len(footer) :]
    try:
        without_size_statistics(bytes(footer))
    except (IndexError, ValueError):
        return


def test_nesting_without_end() -> None:
    with pytest.raises(ValueError, match="deeply"):
        without_size_statistics(b"\x1c" * 100_000)
