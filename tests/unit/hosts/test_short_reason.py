"""Reasons for a narrow column: whatever a message holds, a short sentence of short words is left."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wd14.errors
from wd14.hosts.short_reason import LONGEST_REASON, LONGEST_WORD, short_reason

PACKAGE = Path(wd14.errors.__file__).parent


def messages() -> Iterator[tuple[str, ...]]:
    """Every message that the package raises, as the texts around what is filled in."""
    errors = {name for name in vars(wd14.errors) if name.endswith("Error")} | {"ValueError", "type"}
    for path in sorted(PACKAGE.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in errors and call.args:
                parts = _parts(call.args[0])
                if parts:
                    yield tuple(parts)


def _parts(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if not isinstance(node, ast.JoinedStr):
        return []
    parts = [""]
    for value in node.values:
        if isinstance(value, ast.Constant):
            parts[-1] += str(value.value)
        else:
            parts.append("")
    return parts


MESSAGES = sorted(set(messages()))
AWKWARD = st.one_of(
    st.text(max_size=200),
    st.sampled_from(
        [
            *("/root/.cache/huggingface/hub/models--SmilingWolf--wd/snapshots/0123456789abcdef/model.onnx", "3"),
            *("https://huggingface.co/SmilingWolf/wd-v1-4-convnext-tagger-v2/resolve/main/model.onnx?x=1", "/"),
            *("C:\\Users\\me\\my pictures\\a.png", "~/pictures", "'/home/me/my pictures/train station.jpg'"),
            *("SmilingWolf/wd-v1-4-convnextv2-tagger-v2", "x" * 300, "\u65e5\u672c" * 60, "", "a, b; c"),
        ]
    ),
)


def check(text: str) -> None:
    short = short_reason(text)
    assert short.strip()
    assert len(short) <= LONGEST_REASON
    assert max(map(len, short.split())) <= LONGEST_WORD
    assert "://" not in short
    assert "\n" not in short


def test_the_packages_messages_are_found() -> None:
    assert len(MESSAGES) > 80


@given(st.sampled_from(MESSAGES), st.lists(AWKWARD, min_size=12, max_size=12))
def test_every_message_becomes_short(message: tuple[str, ...], filled: list[str]) -> None:
    check("".join(text + fill for text, fill in zip(message, [*filled[: len(message) - 1], ""], strict=False)))


@given(st.lists(AWKWARD, max_size=6))
def test_any_text_becomes_short(parts: list[str]) -> None:
    check(" ".join(parts))


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("No dataset is chosen: choose one.", "No dataset is chosen: choose one."),
        ("cannot write /a/b/train station.jpg: full. Free some.", "cannot write train station.jpg: full."),
        ("'/home/me/my pictures/a b.png' is empty", "'a b.png' is empty"),
        ("no ~/models/wd/model.onnx, and no C:\\models\\x.onnx", "no model.onnx, and no x.onnx"),
        ("https://huggingface.co/a/b answered 404. Look at the name.", "huggingface.co answered 404."),
        ("the model SmilingWolf/wd-v1-4-convnext-tagger-v2 is gone", "the model wd-v1-4-convnext-tagger-v2 is gone"),
        ("owner/name and 1/2 stay, v1.4 too", "owner/name and 1/2 stay, v1.4 too"),
        ("x" * 40, "x" * 14 + "\u2026" + "x" * 14),
        (" ", "View Output has the reason."),
    ],
)
def test_what_is_left_of_a_reason(text: str, short: str) -> None:
    assert short_reason(text) == short


def test_a_long_sentence_ends_after_a_whole_word() -> None:
    listed = ", ".join(f"column{number}" for number in range(40))
    short = short_reason(f"Image Field (image_field) is 'picture'; the source has the columns {listed}")
    assert short.startswith("Image Field (image_field) is 'picture'; the source has the columns column0, column1")
    assert short.endswith(" \u2026")
    assert short.split()[-2] in listed.split(", ")
