from __future__ import annotations

import hashlib
import json
import re

import pytest

from wd14.config import BUILTIN_MODEL, DEFAULT_MODEL, NO_MODEL
from wd14.input_spec import InputSpec
from wd14.model.files import registry
from wd14.model.files.description import ModelDescription, described
from wd14.model.files.description_file import check
from wd14.model.files.registry import MODELS, find, find_by_sha256

ON_THE_HUB = [model for model in MODELS if model.repo is not None]


def test_the_documented_two_come_first() -> None:
    assert [model.id for model in MODELS[:2]] == [
        "SmilingWolf/wd-v1-4-convnext-tagger-v2",
        "SmilingWolf/wd-v1-4-vit-tagger-v2",
    ]
    assert registry.DEFAULT == DEFAULT_MODEL == MODELS[0].id


def test_every_published_tagger_is_there() -> None:
    assert [model.id for model in MODELS if model.family.startswith("WD")] == [
        *(f"SmilingWolf/wd-v1-4-{name}-tagger-v2" for name in ("convnext", "vit", "convnextv2", "swinv2", "moat")),
        *(f"SmilingWolf/wd-{name}-tagger-v3" for name in ("vit", "convnext", "swinv2", "vit-large", "eva02-large")),
        *(f"SmilingWolf/wd-v1-4-{name}-tagger" for name in ("convnext", "vit")),
    ]
    assert {model.family for model in MODELS if not model.family.startswith("WD")} == {
        *("PixAI Tagger 0.9", "PixAI Tagger 1.0", "CL Tagger 1", "CL Tagger 2", "OppaiOracle", "Camie Tagger 2"),
        *("animetimm dbv4-full", "JoyTag", "IdolSankaku (photographs)", "Z3D-E621", "Built in"),
    }
    assert [model.id for model in MODELS[-2:]] == [BUILTIN_MODEL, NO_MODEL]


@pytest.mark.parametrize("name", registry.FAMILIES)
def test_every_description_is_of_the_form_that_people_write(name: str) -> None:
    for fields in registry.read_family(name):
        assert described(check(fields, name)) in MODELS
    family = json.loads((registry.FOLDER / f"{name}.json").read_text("utf-8"))
    assert family["sources"]
    assert set(family) == {"family", "sources", "defaults", "models"}


def test_no_family_is_left_out() -> None:
    assert {path.stem for path in registry.FOLDER.iterdir()} == set(registry.FAMILIES)


@pytest.mark.parametrize("model", ON_THE_HUB, ids=lambda model: model.id)
def test_pins_are_whole(model: ModelDescription) -> None:
    assert model.id.startswith(model.repo or "?")
    assert re.fullmatch(r"[0-9a-f]{40}", model.revision or "0" * 40)
    for file in model.files:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256 or "0" * 64)
    if model.family.startswith("WD"):
        assert model.revision
        assert model.model.sha256
        assert model.labels.sha256


def test_what_was_looked_up_is_not_changed_by_chance() -> None:
    """A change of a row is read at its sources again; then this hash follows."""
    rows = sorted(
        f"{model.id} {model.revision} {[(file.path, file.sha256, file.size) for file in model.files]} {model.tags}"
        f" {model.licence} {model.gated} {dict(model.thresholds)} {model.spec} {model.activation} {model.output_name}"
        for model in MODELS
    )
    assert hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16] == "5330486c1f91ba1f"


def test_no_pin_was_pasted_twice() -> None:
    hashes = [file.sha256 for model in ON_THE_HUB for file in (model.model, *model.external) if file.sha256]
    assert len(set(hashes)) == len(hashes)
    revisions = {(model.repo, model.revision) for model in ON_THE_HUB if model.revision}
    assert len({revision for _, revision in revisions}) == len(revisions)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
def test_a_threshold_far_from_the_usual_one_is_used_unless_one_is_set(model: ModelDescription) -> None:
    is_far = any(abs(value - 0.35) > 0.1 for name, value in model.thresholds.items() if name in ("all", "general"))
    if model.family.startswith("WD"):
        assert not model.prefers_own_thresholds  # the usual ones are those of kohya's script, for this family
    elif is_far:
        assert model.prefers_own_thresholds


def test_models_that_are_not_of_the_wd14_interface() -> None:
    cl_tagger = find("cella110n/cl_tagger/cl_tagger_1_02")
    pixai = find("deepghs/pixai-tagger-v0.9-onnx")
    assert cl_tagger is not None
    assert pixai is not None
    assert cl_tagger.spec == InputSpec(448, "NCHW", "BGR", "-1..1", "pad")
    assert (cl_tagger.activation, cl_tagger.output_name) == ("sigmoid", None)
    assert cl_tagger.model.path == "cl_tagger_1_02/model.onnx"
    assert pixai.spec == InputSpec(448, "NCHW", "RGB", "-1..1", "squash")
    assert (pixai.activation, pixai.output_name) == ("none", "prediction")


def test_ids_are_found_whatever_their_capitals_and_files_by_their_hash() -> None:
    assert find("smilingwolf/WD-VIT-tagger-v3 ") is find("SmilingWolf/wd-vit-tagger-v3")
    assert find("SmilingWolf/wd-vit-tagger-v4") is None
    for model in ON_THE_HUB:
        assert model.model.sha256 is None or find_by_sha256(model.model.sha256) is model
    assert find_by_sha256("0" * 64) is None
