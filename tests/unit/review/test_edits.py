"""`edits.json`: what is read, what is refused and how that is said, and what is told at the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wd14.errors import ConfigError
from wd14.review.edits import LARGEST_EDITS, MOST_EDITS, parse_edits, read_edits
from wd14.types import Edit

A, B, C = (letter * 64 for letter in "abc")


def edits_json(*entries: Any, **more: Any) -> bytes:
    return json.dumps({"version": 1, "edits": entries, **more}).encode()


def entry(**values: Any) -> dict[str, Any]:
    return {"op": "remove", "tag": "x", "rows": "all", **values}


def test_the_edits_of_each_picture_in_order() -> None:
    edits = parse_edits(
        edits_json(
            entry(rows=[A, B, A]),
            {"op": "add", "tag": " y ", "rows": "all"},
            {"op": "replace", "tag": "y", "with": "", "rows": [B.upper()]},
            {"op": "set", "caption": "two\nlines", "rows": [A]},
            {"op": "reject", "rows": [C]},
        )
    )
    assert edits.of(bytes.fromhex(A)).edits == (
        Edit("remove", "x"),
        Edit("add", "y"),
        Edit("set", caption="two\nlines"),
    )
    assert edits.of(bytes.fromhex(B)).positions == (0, 1, 2)
    assert edits.of(bytes.fromhex(C)).rejected
    assert edits.of(b"another").edits == (Edit("add", "y"),)


def test_a_reject_that_keeps_the_first() -> None:
    edits = parse_edits(edits_json({"op": "reject", "keep": "first", "rows": "all"}, {"op": "reject", "rows": [B]}))
    assert edits.of(bytes.fromhex(A))[2:] == (False, True)
    assert edits.of(bytes.fromhex(B))[2:] == (True, False), "a plain reject wins"


def test_a_picture_has_the_edits_of_its_original() -> None:
    edits = parse_edits(edits_json(entry(rows=[B]), entry(tag="y", rows=[A])))
    edits.know_originals({bytes.fromhex(B): bytes.fromhex(A)})
    assert edits.of(bytes.fromhex(B)).edits == (Edit("remove", "x"), Edit("remove", "y"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "line 1, column 1 is no JSON"),
        (b"\xff", "expected JSON as an edits.json has it"),
        (b"[" * 100_000, "expected JSON as an edits.json has it"),
        (b"[]", r'expected an object \{"version": 1, "edits": \[...\]\}, got \[\]'),
        (b'{"decisions": []}', "expected an object"),
        (b'{"edits": []}', "expected version 1, got None"),
        (edits_json(version=2), "expected version 1, got 2; save the edits anew"),
        (edits_json(plan=1), "expected version and edits only, got 'plan' too"),
        (edits_json(7), "entry 1: expected an object, got 7"),
        (edits_json(entry(), entry(op="delete")), "entry 2: op: expected add, remove, .* or reject, got 'delete'"),
        (edits_json({"tag": "x", "rows": "all"}), "entry 1: op: expected add, .*, got None"),
        (edits_json({"op": "set", "rows": "all"}), "entry 1: caption is missing"),
        (edits_json(entry(caption="y")), "entry 1: caption is no field of this op"),
        (edits_json(entry(rows="some")), "entry 1: rows: expected \"all\" or a list of the sha256 of .*, got 'some'"),
        (edits_json(entry(rows=[A, "a.png"])), "entry 1: rows: row 2: expected the sha256 .*, got 'a.png'"),
        (edits_json(entry(rows=[A[1:]])), "entry 1: rows: row 1: expected the sha256"),
        (edits_json(entry(tag=" ")), "entry 1: tag: expected a tag, got ' '"),
        (edits_json(entry(tag=3)), "entry 1: tag: expected text, got 3"),
        (edits_json(entry(tag="a\nb")), r"entry 1: tag: expected a tag in one line, got 'a\\nb'"),
        (edits_json(entry(tag="a\ud800b")), r"entry 1: tag: expected a tag in one line, got 'a\\ud800b'"),
        (edits_json(entry(id=["a"])), "entry 1: id: expected a valid string"),
        (
            edits_json(entry(at=1)).replace(b'"at": 1', b'"at": 1e999'),
            "entry 1: at: expected a valid integer, got inf",
        ),
        (edits_json(entry(rev=-1)), "entry 1: rev: expected greater than or equal to 0, got -1"),
        (edits_json(entry(tag="a\0b")), r"entry 1: tag: expected a tag in one line, got 'a\\x00b'"),
        (edits_json(entry(tag="a" * 1001)), "entry 1: tag: expected at most 1,000 characters, got 1,001"),
        (edits_json({"op": "set", "caption": "\0", "rows": "all"}), "entry 1: caption: .* holds a NUL"),
        (
            edits_json({"op": "set", "caption": None, "rows": "all"}),
            "entry 1: caption: expected a valid string",
        ),
        (edits_json({"op": "reject", "keep": "last", "rows": "all"}), "entry 1: keep: expected 'first', got 'last'"),
        (edits_json(*[entry()] * 1001), "expected at most 1,000 edits of all pictures, got 1,001"),
        (edits_json(*[entry(rows=[])] * (MOST_EDITS + 1)), "expected at most 100,000 edits, got 100,001"),
    ],
    ids=lambda value: None if isinstance(value, bytes) else value[:40],
)
def test_what_is_no_edits_json(text: bytes, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^Edits \\(edits\\): {message}"):
        parse_edits(text)


def test_a_file_that_is_not_there_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Edits \(edits\): .*none.json cannot be read: No such file"):
        read_edits(tmp_path / "none.json")
    with pytest.raises(ConfigError, match="cannot be read: it is a folder, not a file"):
        read_edits(tmp_path)
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate(2 * LARGEST_EDITS)
    with pytest.raises(ConfigError, match="the file has 200,000,000 bytes; the limit is 100,000,000"):
        read_edits(tmp_path / "huge.json")


def test_what_is_told_at_the_end() -> None:
    edits = parse_edits(
        edits_json(
            entry(tag="smile", rows=[A, B]),
            entry(tag="hat", rows=[C]),
            entry(tag="halo", rows=[A]),
            {"op": "reject", "rows": [B]},
        )
    )
    edits.note(bytes.fromhex(A), (True, False))
    edits.note(bytes.fromhex(B), (), rejected=True)
    edits.note(b"another", ())
    assert list(edits.closing_lines()) == [
        "Edits: 4 edits, made in 1 caption, 1 picture rejected.",
        "Edits: 1 of 3 pictures that they name is not in this dataset.",
        "Edits: 1 edit found the tag in no caption: remove 'halo' (1 picture).",
    ]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from([A, "all", "add"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["op", "tag", "with", "caption", "rows", "version", "edits"]), inner, max_size=5
        )
    ),
    max_leaves=12,
)


@given(value=json_values)
def test_whatever_the_file_holds_the_error_is_ours(value: Any) -> None:
    try:
        parse_edits(json.dumps({"version": 1, "edits": [value]}).encode())
    except ConfigError as error:
        message = str(error)
    else:
        return
    assert message.startswith("Edits (edits): ")
