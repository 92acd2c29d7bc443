"""The page as one file: nothing of a dataset becomes markup, and the policy names what may run."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

from wd14.review.page import SCRIPTS, STYLES, page, write_page

HOSTILE = "</script></title><!--<img src=x onerror=alert(1)>&quot;\u2028\u2029\udc80\"'`{{script}}"


def between(text: str, begin: str, end: str) -> str:
    return text.partition(begin)[2].partition(end)[0]


def test_hostile_text_stays_text_and_comes_back_whole() -> None:
    data = {"dataset": {"name": HOSTILE, HOSTILE: 1}, "captions": [HOSTILE]}
    text = page(data)
    assert "<img" not in text
    assert text.count("</script>") == 2
    assert text.count("</title>") == 1
    assert json.loads(between(text, 'id="data">', "</script>")) == data
    assert page(data) == text


def test_only_the_pages_own_script_and_style_may_run() -> None:
    text = page({})
    policy = between(text, 'Content-Security-Policy" content="', '"')
    for kind, inside in (("script", text.rpartition("<script>")[2]), ("style", between(text, "<style>", "</style>"))):
        digest = hashlib.sha256(inside.partition(f"</{kind}>")[0].encode()).digest()
        assert f"{kind}-src 'sha256-{base64.b64encode(digest).decode()}';" in policy
    assert policy.startswith("default-src 'none';")
    assert policy.endswith("connect-src 'none'")
    assert "connect-src 'self'" in page({}, is_served=True)


def test_the_scripts_are_there_and_break_out_of_nothing() -> None:
    text = page({})
    folder = Path(page.__code__.co_filename).parent / "page"
    assert sorted((*SCRIPTS, *STYLES, "page.html")) == sorted(path.name for path in folder.iterdir())
    for name in (*SCRIPTS, *STYLES):
        content = (folder / name).read_text("utf-8")
        assert not re.search(r"</(?:script|style)|<!--", content), name
        assert content in text


def test_the_scripts_make_no_markup_from_text() -> None:
    folder = Path(page.__code__.co_filename).parent / "page"
    forbidden = re.compile(
        r"\b(?:(?:inner|outer|insertAdjacent)HTML|document\.write|eval|new Function|DOMParser|srcdoc)\b"
    )
    for name in SCRIPTS:
        script = (folder / name).read_text("utf-8")
        assert not forbidden.search(script), name
        assert script.count("\n") <= 350, name


def test_an_older_page_is_replaced(tmp_path: Path) -> None:
    place = tmp_path / "review.html"
    write_page(place, {"captions": ["old"]})
    write_page(place, {"captions": ["new"]})
    assert place.read_bytes().decode() == page({"captions": ["new"]})
    assert [path.name for path in tmp_path.iterdir()] == ["review.html"]


def test_no_two_scripts_declare_one_name() -> None:
    """They become one function: the page would not start."""
    folder = Path(page.__code__.co_filename).parent / "page"
    declared: dict[str, list[str]] = {}
    for name in SCRIPTS:
        text = (folder / name).read_text("utf-8")
        for found in re.findall(
            r"^(?:async )?(?:const|let|var|class|function\*?) (?:[{\[]([^}\]]*)|([\w$]+))", text, re.MULTILINE
        ):
            for word in re.findall(r"[\w$]+", "".join(found)):
                declared.setdefault(word, []).append(name)
    assert len(declared) > 100
    assert {word: names for word, names in declared.items() if len(names) > 1} == {}
