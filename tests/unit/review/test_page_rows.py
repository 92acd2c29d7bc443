"""The rows of a page, and what is known of the dataset as a whole, as the page reads them."""

from __future__ import annotations

import base64
import hashlib
import json
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wd14.review.page_data import PageContents, Words, page_data
from wd14.review.page_rows import PageRow, PageRows
from wd14.types import Labels, Status


def sha(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def captions_of(data: dict[str, Any]) -> list[str]:
    """The captions as the page puts them together."""
    ids = np.frombuffer(base64.b64decode(data["captions"]["ids"]), "<u4").tolist()
    ends = [0, *np.frombuffer(base64.b64decode(data["captions"]["ends"]), "<u4").tolist()]
    joined = [data["separator"].join(data["texts"][i] for i in ids[start:end]) for start, end in pairwise(ends)]
    return [data["raw"].get(str(row), text) for row, text in enumerate(joined)]


def contents(separator: str = ", ", **more: Any) -> PageContents:
    return PageContents(dataset={"name": "set", "folder": "../"}, mark="2026", separator=separator, **more)


def as_read(rows: PageRows, about: PageContents) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json.dumps(page_data(rows, about)))
    return data


@given(
    st.lists(st.text("ab ,;.\n\u3042\ud800", max_size=12)), st.sampled_from([", ", ",", " ", ";", " ; ", "\n", "--"])
)
def test_captions_come_back_to_the_last_blank(captions: list[str], separator: str) -> None:
    rows = PageRows(separator, ["a", "b"])
    for caption in captions:
        rows.add(PageRow("x", Status.CAPTIONED, caption=caption))
    assert captions_of(as_read(rows, contents(separator))) == captions


def test_every_row_says_what_became_of_it() -> None:
    rows = PageRows(", ")
    rows.add(PageRow("sub/a.png", Status.CAPTIONED, "train/a.png", sha("a"), "cat", before="old", size=(70_000, 3)))
    rows.add(PageRow("b.png", Status.FAILED, reason="damaged"))
    rows.add(PageRow("c.png", Status.REJECTED, None, sha("c"), "dog", notes=("first of 3 frames",), size=(4, 5)))
    rows.add(PageRow("d.png", Status.FROM_SCORES, "train/d.png", sha("a"), ""))
    data = as_read(rows, contents())
    assert data["status"] == [0, 2, 3, 1]
    assert data["names"] == ["train/a.png", None, None, "train/d.png"]
    assert data["sources"] == ["sub/a.png", "b.png", "c.png", "d.png"]
    assert (data["reasons"], data["notes"]) == ({"1": "damaged"}, {"2": ["first of 3 frames"]})
    assert data["before"] == {"0": "old"}
    assert base64.b64decode(data["sha"]) == sha("a") + bytes(32) + sha("c") + sha("a")
    assert np.frombuffer(base64.b64decode(data["sizes"]), "<u2").tolist() == [65535, 3, 0, 0, 4, 5, 0, 0]
    assert data["dataset"]["pictures"] == 4


def test_the_page_of_another_run_is_another_one() -> None:
    rows = PageRows(", ")
    rows.add(PageRow("a.png", Status.CAPTIONED, "a.png", sha("a")))
    assert rows.page_id("2026") == rows.page_id("2026")
    assert rows.page_id("2026") != rows.page_id("2027")


def test_pictures_are_rows_in_findings_plan_and_edits() -> None:
    rows = PageRows(", ")
    for name in "abc":
        rows.add(PageRow(f"{name}.png", Status.CAPTIONED, f"train/{name}.png", sha("b" if name == "c" else name)))
    finding = {"rule": "r", "severity": "info", "reason": "why", "advice": "what"}
    strange = sha("elsewhere").hex()
    plan = {"purpose": "style", "sample": ["x"], "differing": [{"name": "b.png", "lacks": ["x"]}, {"name": "z"}]}
    edits = [
        {"op": "remove", "tag": "x", "rows": [sha("b").hex(), strange], "id": "7"},
        {"op": "add", "tag": "y", "rows": "all"},
        {"op": "reject", "rows": [sha("original").hex()]},
    ]
    data = as_read(
        rows,
        contents(
            findings=[finding | {"pictures": ["train/c.png", "gone.png"]}, finding | {"rows": [0], "pictures": ["x"]}],
            plan=plan,
            edits=edits,
            originals={sha("a"): sha("original"), sha("nowhere"): sha("too")},
            thumbnails=[1],
        ),
    )
    assert [each["rows"] for each in data["findings"]] == [[2], [0]]
    assert data["plan"]["differing"] == [{"row": 1, "lacks": ["x"], "instead": None, "reason": None}]
    assert "sample" not in data["plan"]
    assert [(each["rows"], each["lost"]) for each in data["edits"]] == [([1, 2], [strange]), ("all", []), ([0], [])]
    assert data["edits"][0]["id"] == "7"
    assert data["thumbnails"] == {"pattern": "thumbnails/{row}.webp", "missing": [1]}


def test_ranks_are_numbers_that_json_has() -> None:
    labels = Labels(("x", "y", "z"), ("rating", "general", "rating"))
    data = as_read(
        PageRows(", ", ["x", "y"]),
        contents(words=Words(labels, [[0], [1, 0], []], [-1, float("inf")], general_rank=None)),
    )
    assert data["vocabulary"] == {
        "names": ["x", "y", "z"],
        "categories": [0, 1, 0],
        "category_names": ["rating", "general"],
        "texts": [[0], [1, 0], []],
    }
    assert data["ranks"] == [-1, 1e9]
