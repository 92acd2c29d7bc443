"""Files that are generated from the parameters: index.json, task.yaml, info.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import generate
from wd14.config import CaptionConfig
from wd14.parameter_groups import GROUPS

ROOT = Path(__file__).parents[2]


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
    assert made.startswith("# By hand\n\n## All parameters\n\n### Essentials\n")
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
    for key in ("in_place", "caption_files", "cache_folder"):
        assert "Not in the panel." in next(line for line in guide.splitlines() if f"`{key}`" in line)


def test_every_parameter_has_a_help_text_of_whole_sentences() -> None:
    for key, field in CaptionConfig.model_fields.items():
        assert field.title, key
        assert (field.description or "").endswith("."), key
