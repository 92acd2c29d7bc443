"""Values of a source: as text, as JSON, in a message."""

from __future__ import annotations

import datetime
import json
import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wd14.data.sources.values import as_json, decode_text, encodable, excerpt, first_line, read_json_object
from wd14.errors import SourceError, UnreadableImageError


@pytest.mark.parametrize("data", ["ö".encode(), "\ufefföx"[:2].encode(), "ö".encode("utf-16"), b"\xfe\xff\x00\xf6"])
def test_text_as_people_save_it(data: bytes) -> None:
    assert decode_text(data) == "ö"


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(UnicodeDecodeError):
        decode_text(b"caf\xe9")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((None, None), (True, True), (3, 3), (1.5, 1.5), (float("nan"), None), (float("-inf"), None)),
        *((np.float16(1.5), 1.5), ("猫", "猫"), ("\ud800", "?"), (b"x", None), (Decimal("1.50"), "1.50")),
        (datetime.datetime(2026, 1, 2, 3, tzinfo=datetime.UTC), "2026-01-02T03:00:00+00:00"),
        *((datetime.date(2026, 1, 2), "2026-01-02"), (datetime.time(3, 4), "03:04:00")),
        ({"a": {1: float("nan")}, "b": b"x", "\ud800": (1, b"y")}, {"a": {"1": None}, "?": [1, None]}),
    ],
)
def test_values_as_json_holds_them(value: Any, expected: Any) -> None:
    assert as_json(value) == expected
    json.dumps(as_json(value), allow_nan=False, ensure_ascii=False).encode()


@pytest.mark.parametrize("text", ["", "{", "[1]", "[" * 100_000])
def test_a_file_that_holds_no_object(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(SourceError, match=r"a\.json"):
        read_json_object(tmp_path / "a.json")
    with pytest.raises(SourceError, match="No such file"):
        read_json_object(tmp_path / "b.json")


def test_what_messages_show() -> None:
    assert excerpt("a\nb") == "a\\nb"
    assert excerpt("x" * 1000) == "x" * 200 + "…"
    assert first_line(ValueError("one\ntwo")) == "one"
    assert encodable("ö\udc80") == "ö?"


@pytest.mark.parametrize("kind", [list, dict])
def test_a_value_that_is_nested_too_deeply(kind: type) -> None:
    value: Any = 1
    for level in range(100_000):
        value = [value] if kind is list else {"x": value}
        if level == 99:
            json.dumps(as_json(value))
    with pytest.raises(UnreadableImageError, match="more than 100 levels"):
        as_json(value)
    while isinstance(value, (list, dict)):  # freed level by level
        value = value[0] if isinstance(value, list) else value["x"]


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_a_description_that_is_no_file_or_a_hole(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(SourceError, match="not a file"):
        read_json_object(tmp_path / "pipe.json")
    with (tmp_path / "hole.json").open("wb") as file:
        file.truncate(6 << 30)
    with pytest.raises(SourceError, match="the limit is"):
        read_json_object(tmp_path / "hole.json")
