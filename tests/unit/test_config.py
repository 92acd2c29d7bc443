"""The parameters: what a value may be, in every form that it arrives in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from wd14.config import CaptionConfig
from wd14.errors import ConfigError


def test_defaults_are_the_documented_ones() -> None:
    config = CaptionConfig.from_values({})
    assert config.image_field == "image"
    assert config.thresh == 0.35
    assert config.general_threshold is None
    assert config.character_threshold == 0.85
    assert config.generation_model == "SmilingWolf/wd-v1-4-convnext-tagger-v2"
    assert config.caption_separator == ", "
    assert config.image_size == 0


def test_the_documented_parameters_come_first_and_in_order() -> None:
    documented = [
        *("image_field", "thresh", "general_threshold", "character_threshold", "generation_model", "batch_size"),
        *("image_size", "caption_separator", "max_data_loader_n_workers", "output_dataset_name"),
    ]
    assert list(CaptionConfig.model_fields)[: len(documented)] == documented


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("thresh", "0.35", 0.35),
        ("thresh", " 1 ", 1.0),
        ("thresh", None, 0.35),
        ("general_threshold", None, None),
        ("general_threshold", "", None),
        ("general_threshold", "None", None),
        ("general_threshold", "0", 0.0),
        ("character_threshold", "0.5", 0.5),
        ("batch_size", "8", 8),
        ("batch_size", "", None),
        ("max_data_loader_n_workers", "0", 0),
        ("keep_columns", "True", True),
        ("keep_columns", "False", False),
        ("flatten_transparency", "false", False),
        ("flatten_transparency", "", True),
        ("caption_separator", " ", " "),
        ("caption_separator", ";", ";"),
        ("caption_separator", "", ", "),
        ("caption_separator", "None", ", "),
        ("caption_separator", "\\n\\t", "\n\t"),
        ("image_field", "", "image"),
        ("image_field", " photo ", "photo"),
        ("undesired_tags", "['a b', 'c']", ("a b", "c")),
        ("undesired_tags", "a b,\nc,,", ("a b", "c")),
        ("undesired_tags", r";d, \m/", (";d", r"\m/")),
        ("tag_replacement", "a -> b\nc -> d", (("a", "b"), ("c", "d"))),
        ("category_thresholds", "copyright=0.5, meta=off", {"copyright": 0.5, "meta": 2.0}),
        ("rating", "first", "first"),
        ("max_megapixels", "12.5", 12.5),
    ],
)
def test_the_hosts_strings_are_understood(key: str, text: str | None, value: object) -> None:
    assert getattr(CaptionConfig.from_values({key: text}), key) == value


def test_typed_values_and_strings_mean_the_same() -> None:
    typed: dict[str, Any] = {
        "thresh": 0.5,
        "batch_size": 4,
        "keep_columns": True,
        "undesired_tags": ["a", "b"],
        "category_thresholds": {"copyright": 0.4},
        "general_threshold": None,
    }
    assert CaptionConfig.from_values(typed) == CaptionConfig.from_values({k: str(v) for k, v in typed.items()})


@pytest.mark.parametrize(
    ("key", "value", "title", "allowed"),
    [
        ("thresh", "1.5", "Tag Confidence Threshold", "a number from 0 to 1"),
        ("thresh", "nan", "Tag Confidence Threshold", "a number from 0 to 1"),
        ("thresh", "high", "Tag Confidence Threshold", "a number from 0 to 1"),
        ("general_threshold", -0.1, "General Threshold", "a number from 0 to 1 or empty"),
        ("batch_size", "0", "Batch Size", "a whole number from 1 to 512 or empty"),
        ("batch_size", "2.5", "Batch Size", "a whole number from 1 to 512 or empty"),
        ("image_size", -1, "Image Resize", "a whole number from 0 to 16384"),
        ("keep_columns", "maybe", "Keep Columns", "true or false"),
        ("rating", "middle", "Rating", "none, first or last"),
        ("max_megapixels", 0, "Largest Picture", "a number from 0.1 to 100000"),
        ("image_field", ["a"], "Image Field", "text"),
        ("category_thresholds", "copyright", "Thresholds by Category", "category=threshold"),
        ("category_thresholds", "copyright=1.5", "Thresholds by Category", "from 0 to 1"),
        ("tag_replacement", "only_one", "Tag Replacement", "source -> target"),
    ],
)
def test_a_bad_value_is_refused_with_title_value_and_range(key: str, value: object, title: str, allowed: str) -> None:
    with pytest.raises(ConfigError) as caught:
        CaptionConfig.from_values({key: value})
    message = str(caught.value)
    assert title in message
    assert key in message
    assert allowed in message
    assert (repr(value) in message) or (str(value).split("=")[-1] in message)


def test_all_bad_values_are_told_at_once_in_python_too() -> None:
    with pytest.raises(ConfigError) as caught:
        CaptionConfig(thresh=7, rating="x")  # type: ignore[arg-type]
    assert [line.partition(" is ")[0] for line in str(caught.value).splitlines()] == [
        "Tag Confidence Threshold (thresh)",
        "Rating (rating)",
    ]


def test_what_is_no_parameter_is_ignored() -> None:
    assert CaptionConfig.from_values({"learning_rate": "x", "temperature": None}) == CaptionConfig()


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        CaptionConfig().thresh = 0.1


def test_thresholds_fall_back_to_the_tag_threshold() -> None:
    def thresholds(**values: Any) -> list[float]:
        config = CaptionConfig.from_values({"thresh": 0.2, **values})
        return [config.threshold_for(name) for name in ("general", "character", "meta", "artist")]

    assert thresholds() == [0.2, 0.85, 0.2, 0.2]
    assert thresholds(character_threshold=0.2, category_thresholds="meta=0.9") == [0.2, 0.2, 0.9, 0.2]
    assert thresholds(general_threshold=0.0, character_threshold=0.5) == [0.0, 0.5, 0.2, 0.2]
    assert thresholds(general_threshold=0.4, category_thresholds="general=0.1, character=off") == [0.1, 2.0, 0.2, 0.2]


def test_what_no_file_can_be_called_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for key in ("output_dataset_name", "image_field", "undesired_tags", "caption_separator"):
        with pytest.raises(ConfigError, match=f"{key}.*which holds a NUL"):
            CaptionConfig.from_values({key: "a\0b"})
    with pytest.raises(ConfigError, match="no such user"):
        CaptionConfig.from_values({"cache_folder": "~nobody-of-that-name/x"})
    monkeypatch.setenv("HOME", str(tmp_path))
    assert CaptionConfig.from_values({"cache_folder": "~/x"}).cache_path == tmp_path / "x"


def test_a_message_shows_a_long_value_by_its_beginning() -> None:
    for value in ("9" * 5000, 10**5000, ["x" * 5000]):
        with pytest.raises(ConfigError, match="Image Resize") as caught:
            CaptionConfig.from_values({"image_size": value})
        assert len(str(caught.value)) < 300


def test_the_users_own_model_and_folder_win() -> None:
    assert CaptionConfig().model == "SmilingWolf/wd-v1-4-convnext-tagger-v2"
    assert CaptionConfig(custom_model="a/b").model == "a/b"
    assert CaptionConfig().cache_path is None
    assert CaptionConfig(cache_folder="/x/y").cache_path == Path("/x/y")


@pytest.mark.parametrize("name", ["image", "file_name", "mask_file_name", "file_names", "scores", "a\nb", "x" * 101])
def test_names_that_a_caption_column_cannot_have(name: str) -> None:
    with pytest.raises(ConfigError, match=r"Caption Column \(caption_column\): expected the name of a column"):
        CaptionConfig(caption_column=name)
