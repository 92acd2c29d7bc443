"""What `datasets` makes of values, as pyarrow itself has it. Whole datasets: tests/integration/test_round_trip.py."""

from __future__ import annotations

import io
import itertools
import json

import pyarrow.json

from wd14.data.loaded_types import TEXT, type_of_text

DAYS = ("2021-01-01", "2021-02-29", "2020-02-29", "1900-02-29", "0000-01-01", "9999-12-31", "2021-13-01", "2021-1-1")
TIMES = ("", " ", "T", "T00", " 23:59", "T24", " 12:60", "T12:30:59", "T12:30:60", " 12:30:59.5", "T1230", "t12:30")
ZONES = ("", "Z", "+02", "-0230", "+23:59", "+24:00", "+02:60", " Z", "+2")


def test_text_counts_as_a_date_where_pyarrow_takes_it_for_one() -> None:
    for text in map("".join, itertools.product(DAYS, TIMES, ZONES)):
        table = pyarrow.json.read_json(io.BytesIO(json.dumps({"a": text}).encode()))
        assert (type_of_text(text) != TEXT) == str(table["a"].type).startswith("timestamp"), text
