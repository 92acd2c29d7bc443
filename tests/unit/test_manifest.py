"""index.json: the same parameters as the config, in a form that the host's panel keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from wd14 import manifest
from wd14.config import CaptionConfig
from wd14.model.files.registry import MODELS

ROOT = Path(__file__).parents[2]
INDEX = json.loads((ROOT / "index.json").read_text("utf-8"))
SHOWN = [key for key, field in CaptionConfig.model_fields.items() if key != "in_place" and field]


def test_index_json_is_what_the_parameters_say() -> None:
    """After a change: python -m wd14.manifest index.json"""
    assert (ROOT / "index.json").read_text("utf-8") == manifest.as_text()


def test_the_panel_has_every_parameter_in_order() -> None:
    assert list(INDEX["parameters"]) == SHOWN
    assert list(INDEX["parameters_ui"]) == SHOWN


@pytest.mark.parametrize("key", SHOWN)
def test_defaults_fit_their_own_schema_and_mean_the_configs_defaults(key: str) -> None:
    schema: dict[str, Any] = {name: value for name, value in INDEX["parameters"][key].items() if name != "required"}
    jsonschema.Draft7Validator.check_schema(schema)
    if "default" in schema:
        jsonschema.validate(schema["default"], schema)
        assert CaptionConfig.from_values({key: schema["default"]}) == CaptionConfig()
    else:
        assert CaptionConfig.model_fields[key].default is None


@pytest.mark.parametrize("key", SHOWN)
def test_the_panel_refuses_what_the_config_refuses(key: str) -> None:
    """The form's bounds are the config's: one step outside is refused by both."""
    schema = INDEX["parameters"][key]
    step = 1 if schema["type"] == "integer" else 0.01
    for bound, outside in (("minimum", -step), ("maximum", step)):
        if bound in schema:
            assert CaptionConfig.from_values({key: schema[bound]})
            with pytest.raises(Exception, match="allowed"):
                CaptionConfig.from_values({key: schema[bound] + outside})


@pytest.mark.parametrize("key", SHOWN)
def test_every_choice_is_saved_by_its_widget(key: str) -> None:
    """A plain select on the host always sends the default, whatever the user picked."""
    if "enum" in INDEX["parameters"][key]:
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
    assert INDEX["uniqueId"] == "wd14_captioner"
    assert INDEX["type"] == "generator"
    assert INDEX["_dataset"] is True
    assert set(INDEX["supported_hardware_architectures"]) == {"cpu", "cuda", "amd", "mlx"}
    assert (ROOT / INDEX["setup-script"]).is_file()
    for name in INDEX["files"]:
        assert (ROOT / name).exists()
