"""Implied tags, by their words and by a table."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.caption.conftest import CaptionOf
from wd14.errors import ConfigError


@pytest.mark.parametrize(
    ("tags", "left"),
    [
        ("long_hair very_long_hair", "very_long_hair"),
        ("hair long_hair very_long_hair blonde_hair", "very_long_hair, blonde_hair"),
        ("shirt white_shirt", "white_shirt"),
        ("uniform school_uniform kita_high_school_uniform", "kita_high_school_uniform"),
        ("bow_(weapon) holding_bow_(weapon)", "holding_bow_(weapon)"),
        ("cat cathedral", "cat, cathedral"),
        ("ring earrings", "ring, earrings"),
        ("bow elbow_gloves", "bow, elbow_gloves"),
        ("gloves elbow_gloves", "elbow_gloves"),
        ("bow hair_bow hair", "hair_bow, hair"),
        ("humans no_humans", "humans, no_humans"),
        ("penis no_penis", "penis, no_penis"),
        ("robot non-humanoid_robot", "robot, non-humanoid_robot"),
        ("girls multiple_girls", "multiple_girls"),
        ("simple_background white_background 1girl", "simple_background, white_background, 1girl"),
        ("hat unworn_hat", "hat, unworn_hat"),
        ("kiss imminent_kiss", "kiss, imminent_kiss"),
        ("navel cutout_above_navel", "navel, cutout_above_navel"),
        ("dog hot_dog", "dog, hot_dog"),
        ("panda red_panda", "panda, red_panda"),
        ("lock heart_lock", "lock, heart_lock"),
        ("cream ice_cream holding_ice_cream", "cream, holding_ice_cream"),
        ("animal_ears fake_animal_ears", "animal_ears, fake_animal_ears"),
    ],
)
def test_a_tag_goes_where_a_longer_one_names_it(caption_of: CaptionOf, tags: str, left: str) -> None:
    picture = {"general": dict.fromkeys(tags.split(), 0.9)}
    assert caption_of(picture, remove_implied_tags=True).text == left
    assert caption_of(picture).text == tags.replace(" ", ", ")


def test_words_that_negate_or_place_a_noun_imply_nothing(caption_of: CaptionOf) -> None:
    words = (
        "no not non without unworn removed missing invisible hidden covered covering imminent implied incoming after"
    )
    words += " before simulated fake faux mock blowing stuffed toy spoken alternate adapted looking cropped print above"
    words += " across against and around as at behind between by for from in into like of off on onto or out over past"
    words += " the through to towards under with vs non-x un-x"
    tags = ["hat", *(f"{word}_hat" for word in words.split()), *(f"girl_{word}_red_hat" for word in words.split())]
    picture = {"general": dict.fromkeys(tags, 0.9)}
    assert caption_of(picture, remove_implied_tags=True).text == ", ".join(tags)


def test_a_tag_of_another_category_is_another_thing(caption_of: CaptionOf) -> None:
    picture = {"general": {"knight": 0.9}, "character": {"black_knight": 0.9}}
    assert caption_of(picture, remove_implied_tags=True).text == "knight, black_knight"


def test_a_tag_that_is_left_out_implies_nothing(caption_of: CaptionOf) -> None:
    picture = {"general": {"long_hair": 0.9, "very_long_hair": 0.9}}
    options = {"remove_implied_tags": True, "undesired_tags": "very_long_hair"}
    assert caption_of(picture, **options).text == "long_hair"


def table(folder: Path, text: str) -> str:
    path = folder / "implications.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    "text",
    [
        "white_background,simple_background\n",
        "tag,implied\nwhite background , Simple Background\r\n\r\n",
        "\ufeffantecedent_name,consequent_name\nwhite_background,simple_background",
        'white_background,plain_background\n"plain_background","simple_background"\n',
        "white_background,simple_background\nsimple_background,background\n",
    ],
)
def test_a_table_adds_implications(caption_of: CaptionOf, tmp_path: Path, text: str) -> None:
    picture = {"general": {"simple_background": 0.9, "white_background": 0.9, "1girl": 0.9}}
    assert caption_of(picture, implications=table(tmp_path, text)).text == "white_background, 1girl"


def test_a_table_and_the_words_work_together(caption_of: CaptionOf, tmp_path: Path) -> None:
    picture = {"general": {"hair": 0.9, "ponytail": 0.9}, "character": {"rapunzel": 0.9}}
    # ponytail -> long_hair by the table, long_hair -> hair by its words, though long_hair itself is not seen.
    options = {"implications": table(tmp_path, "ponytail,long_hair\nrapunzel,ponytail\n")}
    with_long_hair = {**picture, "general": {**picture["general"], "long_hair": 0.1}}
    assert caption_of(with_long_hair, remove_implied_tags=True, **options).text == "rapunzel"
    assert caption_of(with_long_hair, **options).text == "hair, rapunzel"


def test_tags_that_imply_each_other_both_stay(caption_of: CaptionOf, tmp_path: Path) -> None:
    picture = {"general": {"a": 0.9, "b": 0.9, "c": 0.9}}
    assert caption_of(picture, implications=table(tmp_path, "a,b\nb,a\nb,c\na,a\n")).text == "a, b"


def test_a_heading_counts_in_the_first_line_only(caption_of: CaptionOf, tmp_path: Path) -> None:
    picture = {"general": {"tag": 0.9, "implied": 0.9, "a": 0.9, "b": 0.9}}
    assert caption_of(picture, implications=table(tmp_path, "Tag,Implied Tag\na,b\n")).text == "tag, implied, a"
    assert caption_of(picture, implications=table(tmp_path, "a,b\ntag,implied\n")).text == "tag, a"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\nc\n", r"line 2: expected 'tag,implied tag', got 'c'"),
        ("a,b\n\na,b,c\n", r"line 3: expected 'tag,implied tag', got 'a,b,c'"),
        ("a,\n", r"line 1: expected"),
        ('a,b\n"c,d\n', r"line \d"),
    ],
)
def test_a_broken_table_names_its_line(caption_of: CaptionOf, tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        caption_of({"general": {"a": 0.9}}, implications=table(tmp_path, text))


def test_a_table_that_cannot_be_read_says_why(caption_of: CaptionOf, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Implication Table .*none\.csv cannot be read: No such file"):
        caption_of({"general": {"a": 0.9}}, implications=str(tmp_path / "none.csv"))
    (tmp_path / "latin.csv").write_bytes(b"caf\xe9,drink\n")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        caption_of({"general": {"a": 0.9}}, implications=str(tmp_path / "latin.csv"))


def test_a_table_that_is_no_file_or_has_a_hole_is_not_read(caption_of: CaptionOf, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(6 << 30)
    for name, message in (("pipe", "it is a pipe"), ("hole", "6,442,450,944 bytes")):
        with pytest.raises(ConfigError, match=f"cannot be read: .*{message}"):
            caption_of({"general": {"a": 0.9}}, implications=str(tmp_path / name))
