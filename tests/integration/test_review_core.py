"""The review page without its interface: the filter language, spelling, the log of edits, counts and completion."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pytest

from tests.support.browser import Tab
from tests.support.review_core import call
from wd14.config import CaptionConfig
from wd14.page_model import PageModel
from wd14.published import Published
from wd14.review.page_data import PageContents, page_data
from wd14.review.page_rows import PageRow, PageRows
from wd14.spelling import folded
from wd14.types import Labels, Status

LABELS = Labels(
    ("1girl", "smile", "long_hair", "halo", "saber_(fate)", "re:zero", "^_^", "general"),
    (*["general"] * 4, "character", "copyright", "general", "rating"),
)
#: Captions, the last two of the same picture; the scores of smile and long_hair; width and height.
PICTURES: list[tuple[str, tuple[float, float], tuple[int, int]]] = [
    ("1girl, smile, halo", (0.9, 0.1), (512, 768)),
    ("1girl, long hair, long hair ornament", (0.2, 0.8), (1024, 1024)),
    ("saber \\(fate\\), re:zero, ^_^", (0.3, 0.3), (256, 256)),
    ("", (0.0, 0.0), (640, 480)),
    ("A girl, who smiles, in the rain.", (0.0, 0.0), (640, 480)),
    ("halo, smile", (0.5, 0.0), (640, 480)),
    ("halo, smile", (0.5, 0.0), (640, 480)),
]
FAILED = 7


def data() -> dict[str, Any]:
    """A page of the pictures above, and of one that failed."""
    config = CaptionConfig.from_values({"remove_underscore": True, "general_threshold": 0.4})
    model = PageModel(LABELS, config, Published())
    rows = PageRows(", ", model.texts, model.candidates())
    for number, (caption, (smile, long_hair), size) in enumerate(PICTURES):
        scores = np.array([0.9, smile, long_hair, 0, 0, 0, 0, 0.5], np.float32)
        digest = hashlib.sha256(bytes([min(number, 5)])).digest()
        rows.add(
            PageRow(
                f"sub/{number} cat.png",
                Status.CAPTIONED,
                f"train/{number}.png",
                digest,
                caption,
                None,
                None,
                (),
                scores,
                size,
            )
        )
    rows.add(PageRow("broken.png", Status.FAILED, reason="cut off"))
    finding = {"rule": "blurred-picture", "severity": "info", "reason": "", "advice": "", "rows": [1, 2]}
    contents = PageContents(
        {"folder": "../"}, "", ", ", words=model.words, rules=model.rules(rows).tables, findings=[finding]
    )
    found: dict[str, Any] = json.loads(json.dumps(page_data(rows, contents)))
    return found


@pytest.fixture
def page(core: Tab) -> Tab:
    call(core, "ask.open", data())
    return core


def test_spelling_is_pythons(core: Tab) -> None:
    """Every character of Unicode 14, and blanks, backslashes and parentheses of every kind."""
    characters = [chr(point) for point in range(0x1E000) if not 0xD800 <= point < 0xE000]
    known = [each for each in characters if each.casefold() == each or each.lower() != each or each.upper() != each]
    texts = [f"a{each} B{each}" for each in known] + [
        *(
            "  Long \t Hair ",
            "saber_\\(fate\\)",
            "\\\\(x\\)",
            "\\\\",
            "(a) ",
            "\u3000x\u200bY\ufeff",
            "\x1cA\x1f",
            "",
            "_ _",
        ),
    ]
    given = call(core, "ask.folded", texts)
    differing = [text for text, spelled in zip(texts, given, strict=True) if spelled != folded(text)]
    # Browsers know newer characters than this Python, which leaves those as they are.
    assert not [text for text in differing if text == "" or folded(text) != "_".join(text.split()).lower()][:5]
    assert len(differing) < 100


@pytest.mark.parametrize(
    ("words", "rows"),
    [
        ("", [0, 1, 2, 3, 4, 5, 6, 7]),
        ("halo", [0, 5, 6]),
        ("Long_Hair", [1]),  # exactly this tag, as one is in use
        ("hair smile", []),
        ("ornament", [1]),  # no such tag: what contains it
        ("*hair", [1]),
        ("l?ng*", [1]),
        ("-smile", [1, 2, 3, 4, 7]),
        ('"long hair" 1girl', [1]),
        ('"hair"', []),
        ("halo OR long_hair", [0, 1, 5, 6]),
        ("(halo OR long_hair) -1girl", [5, 6]),
        ("-(halo OR 1girl) tags:>1", [2, 4]),
        ("saber_(fate)", [2]),
        ("saber_\\(fate\\)", [2]),
        ("(saber_(fate))", [2]),
        ("re:zero ^_^", [2]),
        ("tags:3", [0, 1, 2, 4]),
        ("tags:1..2", [5, 6]),
        ("tokens:>=8", [1, 2, 4]),
        ("width:<512", [2]),
        ("height:1024", [1]),
        ("score:smile>0.4", [0, 5, 6]),
        ("score:smile<=0.3 score:smile>0", [1, 2]),
        ('score:"long hair">0.5', [1]),
        ("candidate:smile", [1, 2]),
        ("name:train/1*", [1]),
        ("name:CAT", [0, 1, 2, 3, 4, 5, 6]),
        ('text:"smiles, in"', [4]),
        ("text:RAIN", [4]),
        ("status:failed", [7]),
        ("status:failed|rejected", [7]),
        ("-status:captioned", [7]),
        ("is:empty", [3]),
        ("is:duplicate", [5, 6]),
        ("is:edited", []),
        ("finding:blurred*", [1, 2]),
    ],
)
def test_filter(page: Tab, words: str, rows: list[int]) -> None:
    assert call(page, "ask.filter", words) == rows


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("halo (smile", "Character 6: expected a closing parenthesis for this one"),
        ("halo)", "Character 5: expected a word; this parenthesis closes nothing"),
        ('"long hair', "Character 1: expected a closing quotation mark for this one"),
        ("halo OR", "Character 8: expected a word here"),
        ("- halo", "Character 2: expected a word directly behind the minus"),
        ("tokens:many", "Character 8: expected a number behind tokens:, as in tokens:>75, got “many”"),
        ("status:lost", "Character 8: expected one of failed, rejected, captioned, scored behind status:, got “lost”"),
        ("token:>75", "Character 1: expected one of tokens:, tags:, width:"),
        ("score:smile>high", "Character 12: expected a number from 0 to 1, as in score:smile>0.6, got “>high”"),
        ("name:", "Character 6: expected a word behind name:"),
    ],
)
def test_a_wrong_filter_is_explained_and_changes_nothing(page: Tab, words: str, error: str) -> None:
    call(page, "ask.filter", "halo")
    assert str(call(page, "ask.filter", words)).startswith(error)
    assert page.js("review.filterText") == "halo"
    assert page.js("Array.from(review.visible)") == [0, 5, 6]


@pytest.mark.parametrize("tag", ["OR", "is:edited", "*", "-x", 'say "hi"', "a\\b", "(", "long hair", "tokens:>75"])
def test_a_quoted_word_means_its_tag(page: Tab, tag: str) -> None:
    call(page, "review.edit", "add", {"tag": tag}, [1])
    assert page.js(f"ask.filter(ask.quoted({json.dumps(tag)}))") == [1]
    assert page.js(f"ask.filter('-' + ask.quoted({json.dumps(tag)}))") == [0, 2, 3, 4, 5, 6, 7]


def test_counts_follow_every_change(page: Tab) -> None:
    """Counts are kept up to date change by change; they must be those of the captions as they are."""
    changes: list[tuple[str, list[Any]]] = [
        ("review.edit", ["remove", {"tag": "halo"}, "all"]),
        ("review.edit", ["add", {"tag": "new tag"}, [0, 3, 5]]),
        ("review.setThreshold", ["general", 0.15]),
        ("review.edit", ["reject", {}, [0]]),
        ("review.edit", ["set", {"caption": "x, x,  y"}, [1]]),
        ("review.undo", []),
        ("review.setThreshold", ["general", 0.95]),
        ("review.undo", []),
        ("review.redo", []),
        ("review.edit", ["replace", {"tag": "1girl", "with": "smile"}, "all"]),
        ("review.resetThresholds", []),
    ]
    for function, values in changes:
        call(page, function, *values)
        expected: dict[str, int] = {}
        for row in call(page, "ask.state"):
            if not row["rejected"]:
                for text in {part["text"] for part in row["parts"]}:
                    expected[text] = expected.get(text, 0) + 1
        assert page.js("Object.fromEntries(review.tagCounts())") == expected, (function, values)


def test_what_is_counted_is_what_an_edit_changes(page: Tab) -> None:
    for op, args in [
        ("remove", {"tag": "HALO"}),
        ("add", {"tag": "1girl"}),
        ("replace", {"tag": "smile", "with": "grin"}),
        ("set", {"caption": "halo, smile"}),
        ("reject", {}),
    ]:
        call(page, "ask.open", data())
        counted = call(page, "review.count", op, args, "all")
        before = call(page, "ask.state")
        call(page, "review.edit", op, args, "all")
        after = call(page, "ask.state")
        changed = [a["now"] != b["now"] or a["rejected"] != b["rejected"] for a, b in zip(before, after, strict=True)]
        assert counted == sum(changed)
        assert 0 < counted < len(PICTURES) + (op == "reject")


def test_the_same_picture_has_the_same_edits(page: Tab) -> None:
    """Edits are replayed by what a picture holds, so the page must not show one copy edited and one not."""
    call(page, "review.edit", "remove", {"tag": "halo"}, [5])
    assert call(page, "ask.captions")[5:7] == ["smile", "smile"]
    (edit,) = call(page, "review.exportEdits")["edits"]
    assert edit["rows"] == [hashlib.sha256(b"\5").hexdigest()]


def test_of_copies_the_first_can_stay(page: Tab) -> None:
    assert call(page, "review.count", "reject", {"keep": "first"}, [5, 6]) == 1
    call(page, "review.edit", "reject", {"keep": "first"}, [6])
    assert [row["rejected"] for row in call(page, "ask.state")][4:] == [False, False, True, False]
    assert call(page, "review.exportEdits")["edits"][0]["keep"] == "first"
    call(page, "review.undo")
    assert not any(row["rejected"] for row in call(page, "ask.state"))


@pytest.mark.parametrize("tag", ["", " ", "a, b", "two\nlines", "x" * 1001])
def test_a_tag_that_a_run_would_refuse_is_none(page: Tab, tag: str) -> None:
    assert call(page, "ask.refusal", "edit", "add", {"tag": tag}, [0]).startswith("expected ")
    assert page.js("review.entries") == []


def test_a_picture_that_the_run_left_out_stays_out_until_its_edit_is_undone(core: Tab) -> None:
    rows = PageRows(", ")
    for number in range(2):
        rows.add(PageRow("a", Status.REJECTED, None, bytes([number + 1]) * 32, "halo"))
    edits = [{"op": "reject", "rows": ["01" * 32], "id": "one", "at": 1}]
    call(core, "ask.open", page_data(rows, PageContents({"folder": ""}, "", ", ", edits=edits)))
    assert [row["rejected"] for row in call(core, "ask.state")] == [True, True]
    call(core, "review.setUndone", "one", True)
    assert [row["rejected"] for row in call(core, "ask.state")] == [False, True]
    assert core.js("Object.fromEntries(review.tagCounts())") == {"halo": 1}


def test_of_a_line_that_a_person_copied_both_count(core: Tab) -> None:
    rows = PageRows(", ")
    rows.add(PageRow("a", Status.CAPTIONED, "a", b"a" * 32, "halo"))
    edits = [{"op": "add", "tag": tag, "rows": "all", "id": "one", "at": 1} for tag in ("hat", "coat")]
    call(core, "ask.open", page_data(rows, PageContents({"folder": ""}, "", ", ", edits=edits)))
    assert call(core, "ask.captions") == ["halo, hat, coat"]


def test_an_edit_names_the_tag_and_not_its_text(core: Tab) -> None:
    """So that it is found in the captions of another style."""
    config = CaptionConfig.from_values({"tag_replacement": "halo -> ring of light"})
    model = PageModel(LABELS, config, Published())
    rows = PageRows(", ", model.texts)
    rows.add(PageRow("a", Status.CAPTIONED, "a", b"a" * 32, "ring of light, 1girl"))
    call(core, "ask.open", page_data(rows, PageContents({"folder": ""}, "", ", ", words=model.words)))
    call(core, "review.edit", "remove", {"tag": "ring of light"}, [0])
    assert call(core, "ask.captions") == ["1girl"]
    assert [edit["tag"] for edit in call(core, "review.exportEdits")["edits"]] == ["halo"]


def test_logs_of_several_pages_become_one(page: Tab) -> None:
    """Whatever is merged first, both pages end with the same captions, and no edit is lost."""
    call(page, "review.edit", "add", {"tag": "one"}, [0])
    first = call(page, "ask.wire")
    call(page, "ask.open", data())
    call(page, "review.edit", "add", {"tag": "two"}, [0, 1])
    call(page, "review.edit", "remove", {"tag": "smile"}, "all")
    call(page, "review.undo")
    second = call(page, "ask.wire")
    call(page, "review.merge", first)
    there = call(page, "ask.captions")
    assert there[0].endswith("one, two")
    assert "smile" in there[0]
    call(page, "ask.open", data())
    call(page, "review.merge", [*first, *second])
    assert call(page, "ask.captions") == there
    call(page, "review.merge", first)  # what is known changes nothing
    assert call(page, "ask.captions") == there
    assert len(page.js("review.entries")) == 3
    assert page.js("review.unsaved") is True


def test_pictures_that_are_not_here_keep_their_edits(page: Tab) -> None:
    other = "ab" * 32
    entry = {"id": "x", "at": 5, "rev": 0, "undone": False, "op": "add", "tag": "t", "rows": [other]}
    call(page, "review.merge", [entry])
    assert call(page, "review.exportEdits")["edits"][0]["rows"] == [other]


@pytest.mark.parametrize(
    "entry",
    [
        {"id": "x", "at": 5, "rev": 0, "undone": False, "op": "add", "rows": "all"},
        {"id": "x", "at": 5, "rev": 0, "undone": False, "op": "explode", "rows": "all"},
        {"id": "x", "at": 5, "rev": 0, "undone": False, "op": "reject", "rows": [99]},
        None,
    ],
)
def test_what_is_no_edit_is_refused(page: Tab, entry: object) -> None:
    refused = call(page, "ask.refusal", "merge", [entry])
    assert refused.startswith("expected an entry of the log of edits, got ")


def test_completion(page: Tab) -> None:
    assert [found["text"] for found in call(page, "review.complete", "ha", 5)][:2] == ["halo", "long hair"]
    # As captions spell it, with what the model knows of it.
    (found,) = call(page, "review.complete", "saber", 5)
    assert found == {"text": "saber \\(fate\\)", "name": "saber_(fate)", "category": "character", "count": 1}


def test_rows_that_the_rules_do_not_give_take_no_part(page: Tab) -> None:
    slides = [row["slides"] for row in call(page, "ask.state")]
    call(page, "review.setThreshold", "general", 0.05)
    changed = [row["base"] != row["now"] for row in call(page, "ask.state")]
    assert not any(change and not slide for change, slide in zip(changed, slides, strict=True))
    assert slides[4] is False
