"""Files that are generated from the parameters: index.json, task.yaml, info.md; and what the host's panel needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import wd14
from scripts import generate
from wd14.config import GROUPS, CaptionConfig
from wd14.errors import ConfigError
from wd14.hosts.transformer_lab import NOT_ON_A_HOST
from wd14.model.files.registry import MODELS

ROOT = Path(__file__).parents[2]
INDEX = json.loads((ROOT / "index.json").read_text("utf-8"))
SHOWN = [key for key in CaptionConfig.model_fields if key not in NOT_ON_A_HOST]


@pytest.mark.parametrize("name", ["index.json", "task.yaml", "info.md"])
def test_what_is_generated_is_up_to_date(name: str) -> None:
    """After a change of the parameters: scripts/generate"""
    assert (ROOT / name).read_text("utf-8") == generate.generated()[name]


@pytest.mark.parametrize("name", ["index.json", "info.md"])
def test_a_changed_help_text_changes_what_is_generated(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = generate.generated()[name]
    monkeypatch.setattr(CaptionConfig.model_fields["max_tags"], "description", "Another text.")
    assert generate.generated()[name] == before.replace(
        "Keep this many tags, those with the best scores. 0 = all.", "Another text."
    )


def test_only_the_generated_part_of_a_file_changes() -> None:
    made = generate.info_md("# By hand\n\n## All parameters\nstale line\n")
    assert made.startswith("# By hand\n\n## All parameters\n\n### Model\n")
    assert "stale" not in made
    assert generate.task_yaml("name: mine\nparameters:\n  old: 1\n").startswith(
        "name: mine\nparameters:\n  # A dataset"
    )
    with pytest.raises(ValueError, match="expected the line '## All parameters'"):
        generate.info_md("# Without the heading\n")


def test_every_parameter_is_in_one_group() -> None:
    grouped = [key for keys in GROUPS.values() for key in keys]
    assert sorted(grouped) == sorted(CaptionConfig.model_fields), "a new parameter belongs into a group of GROUPS"


def test_the_guide_has_every_parameter_with_its_title_and_default() -> None:
    guide = (ROOT / "info.md").read_text("utf-8")
    for key, field in CaptionConfig.model_fields.items():
        (row,) = [line for line in guide.splitlines() if f"| `{key}` |" in line]
        assert row.startswith(f"| {field.title} | ")
    assert "| `thresh` | `0.35` | A tag is kept" in guide
    assert "| `cache` | on |" in guide
    assert "| `keep_columns` | off |" in guide
    assert "| `split` | empty |" in guide
    assert r"(long\_hair, long hair). Wildcards: \* and ?. |" in guide
    assert "Command line only" in next(line for line in guide.splitlines() if "`in_place`" in line)


def test_the_panel_has_every_parameter_in_order() -> None:
    assert list(INDEX["parameters"]) == SHOWN
    assert list(INDEX["parameters_ui"]) == SHOWN
    assert INDEX["version"] == wd14.__version__
    assert INDEX["parameters"]["thresh"] == {
        "title": "Tag Confidence Threshold",
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "default": 0.35,
        "required": True,
    }
    assert [key for key, schema in INDEX["parameters"].items() if schema.get("required")] == ["image_field", "thresh"]


def test_types_of_the_panel() -> None:
    types = {key: INDEX["parameters"][key]["type"] for key in ("max_tags", "cache", "batch_size", "undesired_tags")}
    assert types == {"max_tags": "integer", "cache": "boolean", "batch_size": "integer", "undesired_tags": "string"}
    widgets: dict[str, list[str]] = {}
    for key, hint in INDEX["parameters_ui"].items():
        widgets.setdefault(hint.get("ui:widget", "plain"), []).append(key)
    assert widgets["textarea"] == ["undesired_tags", "always_first_tags", "trigger_words", "tag_replacement"]
    assert widgets["AutoCompleteWidget"] == ["generation_model", "device"]
    assert widgets["radio"] == ["threshold_mode", "rating", "quality", "tag_order", "on_error", "profile"]


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


@pytest.mark.parametrize("key", [key for key, schema in INDEX["parameters"].items() if "enum" in schema])
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
    for name in INDEX["files"]:
        assert (ROOT / name).exists()


def test_every_parameter_has_a_help_text_of_whole_sentences() -> None:
    for key, field in CaptionConfig.model_fields.items():
        assert field.title, key
        assert (field.description or "").endswith("."), key
