"""The panel of the classic host, index.json: its order and headings, its widgets, and what the host's form needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import wd14
from scripts.manifest import NOT_IN_THE_PANEL
from wd14.config import CaptionConfig
from wd14.errors import ConfigError
from wd14.model.files.registry import MODELS
from wd14.parameter_groups import GROUPS

ROOT = Path(__file__).parents[2]
INDEX = json.loads((ROOT / "index.json").read_text("utf-8"))
SHOWN = [key for key in INDEX["parameters"] if key in CaptionConfig.model_fields]
HEADINGS = [key for key in INDEX["parameters"] if key not in CaptionConfig.model_fields]


def test_the_panel_has_the_groups_in_order_each_below_its_heading() -> None:
    expected: list[str] = []
    for group, keys in GROUPS.items():
        (heading,) = [key for key in HEADINGS if INDEX["parameters"][key]["title"] == group.upper()]
        expected += [heading, *(key for key in keys if key not in NOT_IN_THE_PANEL)]
    assert list(INDEX["parameters"]) == expected
    assert all(INDEX["parameters"][key]["description"].endswith(".") for key in HEADINGS)


def test_the_panel_leaves_out_what_a_page_cannot_offer() -> None:
    assert CaptionConfig.model_fields.keys() - INDEX["parameters"].keys() == {
        *("in_place", "caption_files"),  # would harm the host's datasets
        *("cache_folder", "implications", "plan", "follow_symlinks"),  # about files of the server
        "trainer",  # others than the host
    }


def test_what_people_set_first_comes_first() -> None:
    assert SHOWN[:11] == [
        *("generation_model", "custom_model", "thresh", "general_threshold", "character_threshold"),
        *("trigger_words", "purpose", "caption_style", "undesired_tags", "remove_underscore", "escape_parentheses"),
    ]


def test_a_form_always_counts_as_changed_when_it_opens() -> None:
    """Otherwise the page would save the values of the form before. It writes `scratch` into this key at every save."""
    first = next(iter(INDEX["parameters"]))
    schema = INDEX["parameters"][first]
    assert first == "generation_type"
    assert INDEX["parameters_ui"][first] == {"ui:widget": "hidden"}
    assert len(schema["enum"]) > 1  # a single choice would be a constant, which the form leaves alone
    assert "scratch" not in schema["enum"]
    assert schema["default"] in schema["enum"]


def test_headings_do_not_reach_the_job() -> None:
    values = dict.fromkeys(HEADINGS, "None")
    assert CaptionConfig.from_values(values) == CaptionConfig()
    assert not CaptionConfig.model_fields.keys() & set(HEADINGS)


def test_required_and_bounds_of_the_panel() -> None:
    assert INDEX["version"] == wd14.__version__
    assert INDEX["parameters"]["thresh"] == {
        "title": "Tag Confidence Threshold",
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "default": 0.35,
        "required": True,
    }
    assert [key for key, schema in INDEX["parameters"].items() if schema.get("required")] == ["thresh", "image_field"]


def test_types_of_the_panel() -> None:
    types = {key: INDEX["parameters"][key]["type"] for key in ("max_tags", "cache", "batch_size", "undesired_tags")}
    assert types == {"max_tags": "integer", "cache": "boolean", "batch_size": "integer", "undesired_tags": "string"}
    widgets: dict[str, list[str]] = {}
    for key in SHOWN:
        hint = INDEX["parameters_ui"][key]
        widgets.setdefault(hint.get("ui:widget", "plain"), []).append(key)
    assert widgets["textarea"] == [
        *("trigger_words", "undesired_tags", "tag_thresholds", "ensemble"),
        *("fold_tags", "keep_tags", "always_first_tags", "tag_replacement"),
    ]
    assert widgets["AutoCompleteWidget"] == ["generation_model", "caption_style", "device"]
    assert widgets["radio"] == [
        *("purpose", "threshold_mode", "tag_order", "rating", "quality", "on_error", "precision", "profile")
    ]


@pytest.mark.parametrize("key", SHOWN)
def test_defaults_fit_their_own_schema_and_mean_the_configs_defaults(key: str) -> None:
    schema: dict[str, Any] = {name: value for name, value in INDEX["parameters"][key].items() if name != "required"}
    jsonschema.Draft7Validator.check_schema(schema)
    if "default" in schema:
        jsonschema.validate(schema["default"], schema)
        assert CaptionConfig.from_values({key: schema["default"]}) == CaptionConfig()
    else:
        assert CaptionConfig.model_fields[key].default is None


BOUNDS = [
    pytest.param(key, schema[bound], outside * (1 if schema["type"] == "integer" else 0.01), id=f"{key}-{bound}")
    for key, schema in INDEX["parameters"].items()
    for bound, outside in (("minimum", -1), ("maximum", 1))
    if bound in schema
]


@pytest.mark.parametrize(("key", "limit", "step"), BOUNDS)
def test_the_panel_refuses_what_the_config_refuses(key: str, limit: float, step: float) -> None:
    """The form's bounds are the config's: one step outside is refused by both."""
    assert CaptionConfig.from_values({key: limit})
    with pytest.raises(ConfigError, match="allowed"):
        CaptionConfig.from_values({key: limit + step})


@pytest.mark.parametrize("key", [key for key in SHOWN if "enum" in INDEX["parameters"][key]])
def test_every_choice_is_saved_by_its_widget(key: str) -> None:
    """A plain select on the host always sends the default, whatever the user picked."""
    hint = INDEX["parameters_ui"][key]
    assert hint["ui:widget"] == "radio" or (
        hint["ui:widget"] == "AutoCompleteWidget" and hint["ui:options"] == {"multiple": False}
    )
    assert "enumNames" not in INDEX["parameters"][key]


def test_the_panel_offers_every_known_model_the_documented_two_first() -> None:
    offered = INDEX["parameters"]["generation_model"]["enum"]
    assert offered == [model.id for model in MODELS]
    assert offered[:2] == ["SmilingWolf/wd-v1-4-convnext-tagger-v2", "SmilingWolf/wd-v1-4-vit-tagger-v2"]


def test_the_host_finds_what_it_needs() -> None:
    assert INDEX["_dataset"] is True
    assert set(INDEX["supported_hardware_architectures"]) == {"cpu", "cuda", "amd", "mlx"}
    assert (ROOT / INDEX["setup-script"]).is_file()
    assert "drop the files" in INDEX["_dataset_display_message"]  # browsing a folder is answered with an error
    for name in INDEX["files"]:
        assert (ROOT / name).exists()
