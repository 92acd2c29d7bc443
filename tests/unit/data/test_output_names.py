"""Names in the output: none twice, none that a system refuses, the same in every run."""

from __future__ import annotations

import time
import unicodedata

import pytest

from wd14.data.output_names import OutputNames, check_caption_extension, numbered_name, safe_name
from wd14.errors import ConfigError


def names(*wanted: str, caption_extension: str | None = None, as_png: bool = False) -> list[str]:
    output_names = OutputNames(caption_extension)
    return [output_names.take(name, as_png=as_png)[0] for name in wanted]


def test_a_name_that_is_taken_gets_the_next_free_number() -> None:
    assert names("x.png", "x.png", "x-2.png", "x.png", "y.png") == ["x.png", "x-2.png", "x-2-2.png", "x-3.png", "y.png"]
    assert names("x-2.png", "x.png", "x.png", "x.png") == ["x-2.png", "x.png", "x-3.png", "x-4.png"]


def test_names_that_are_one_file_on_some_system_are_the_same() -> None:
    assert names("x.png", "X.PNG") == ["x.png", "X-2.PNG"]
    composed, decomposed = (unicodedata.normalize(form, "é.png") for form in ("NFC", "NFD"))
    assert names(composed, decomposed) == [composed, decomposed.removesuffix(".png") + "-2.png"]


@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv", "Index.json"])
def test_the_datasets_own_files_keep_their_names(name: str) -> None:
    stem, _, extension = name.partition(".")
    assert names(name) == [f"{stem}-2.{extension}"]


def test_text_files_have_names_of_their_own_too() -> None:
    output_names = OutputNames(".txt")
    taken = [output_names.take(name, as_png=False) for name in ("a.jpg", "a.png", "b.txt.png", "b.png")]
    assert taken == [("a.jpg", "a.txt"), ("a-2.png", "a-2.txt"), ("b.txt.png", "b.txt.txt"), ("b.png", "b.txt")]
    assert OutputNames(None).take("a.jpg", as_png=False) == ("a.jpg", None)


def test_the_extension_of_a_picture_that_became_png() -> None:
    assert names("a.gif", "a.png", "b", ".c", "d.", as_png=True) == ["a.png", "a-2.png", "b.png", ".c.png", "d..png"]


@pytest.mark.parametrize("character", ["x", "ü", "猫", "🎨"])
def test_long_names_fit_with_number_and_extensions(character: str) -> None:
    output_names = OutputNames(".caption")
    wanted = character * 250 + ".png"
    pairs = [output_names.take(wanted, as_png=False) for _ in range(3)]
    for picture, text in pairs:
        assert text is not None
        assert max(len(picture.encode()), len(text.encode())) <= 255
        assert min(len(picture.encode()), len(text.encode())) > 240
    assert len({*pairs}) == 3
    assert pairs[1][0].endswith(character + "-2.png")
    assert names("x" * 255) == ["x" * 255]


def test_one_name_wanted_by_many_costs_no_more_than_many_names() -> None:
    started = time.monotonic()
    assert names(*["1.png"] * 20_000)[-1] == "1-20000.png"
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("sub/a b (1).png", "a b (1).png"),
        ("C:\\photos\\a.png", "a.png"),
        ('a<b>:"|?*.png', "a_b______.png"),
        ("tab\there\x85.png", "tab_here_.png"),
        ("line\u2028end\u2029.png", "line_end_.png"),
        ("gnp.\u202etxt.png", "gnp._txt.png"),
        ("\udce9.png", "_.png"),
        ("con", "_con"),
        ("LPT1.png", "_LPT1.png"),
        ("console.png", "console.png"),
        (".hidden.png", "_hidden.png"),
        (" a. ", "a"),
        ("日本語 🎨.png", "日本語 🎨.png"),
        ("...", ""),
        ("", ""),
        ("_", ""),
        ("x" * 300 + ".png", "x" * 251 + ".png"),
        ("ü" * 200 + ".webp", "ü" * 125 + ".webp"),
        ("x." + "y" * 300, "x." + "y" * 253),
        ("x" * 256, "x" * 255),
    ],
)
def test_names_that_are_safe_on_every_system(path: str, name: str) -> None:
    assert safe_name(path) == name


def test_a_name_of_megabytes_is_shortened_at_once() -> None:
    started = time.monotonic()
    assert safe_name("ü" * 2_000_000) == "ü" * 127
    assert numbered_name("ü" * 2_000_000, 12, 100) == "ü" * 48 + "-12"
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "extension", ["", ".", "txt", "_txt", "._ ", ".txt.", ".t/xt", ".t:xt", ".\x07", "." + "x" * 32, ".png", ".JPG"]
)
def test_an_extension_that_is_not_one_of_text_files(extension: str) -> None:
    with pytest.raises(ConfigError, match="caption_extension"):
        check_caption_extension(extension)


@pytest.mark.parametrize("extension", [".txt", ".caption", ".tags.txt", "." + "x" * 31])
def test_an_extension_of_text_files(extension: str) -> None:
    check_caption_extension(extension)
