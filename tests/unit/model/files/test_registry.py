from __future__ import annotations

import hashlib
import re

import pytest

from wd14.config import BUILTIN_MODEL, DEFAULT_MODEL, NO_MODEL
from wd14.input_spec import InputSpec
from wd14.model.files import registry
from wd14.model.files.registry import MODELS, ModelDescription, find, find_by_sha256

ON_THE_HUB = [model for model in MODELS if model.repo is not None]


def test_the_documented_two_come_first() -> None:
    assert [model.id for model in MODELS[:2]] == [
        "SmilingWolf/wd-v1-4-convnext-tagger-v2",
        "SmilingWolf/wd-v1-4-vit-tagger-v2",
    ]
    assert registry.DEFAULT == DEFAULT_MODEL == MODELS[0].id


def test_every_published_tagger_is_there() -> None:
    assert {model.id for model in MODELS} == {
        *(f"SmilingWolf/wd-v1-4-{name}-tagger" for name in ("vit", "convnext")),
        *(f"SmilingWolf/wd-v1-4-{name}-tagger-v2" for name in ("vit", "convnext", "convnextv2", "swinv2", "moat")),
        *(f"SmilingWolf/wd-{name}-tagger-v3" for name in ("vit", "convnext", "swinv2", "vit-large", "eva02-large")),
        "cella110n/cl_tagger/cl_tagger_1_02",
        "deepghs/pixai-tagger-v0.9-onnx",
        BUILTIN_MODEL,
        NO_MODEL,
    }


@pytest.mark.parametrize("model", ON_THE_HUB, ids=lambda model: model.id)
def test_every_download_is_pinned(model: ModelDescription) -> None:
    assert model.id.startswith(model.repo or "?")
    assert re.fullmatch(r"[0-9a-f]{40}", model.revision or "")
    for file in (model.model, model.labels):
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256 or "")
    assert model.model.name == "model.onnx"


def test_what_was_looked_up_is_not_changed_by_chance() -> None:
    """A change of a row is read at its sources again; then this hash follows."""
    rows = sorted(
        f"{model.id} {model.revision} {model.model.sha256} {model.model.size} {model.labels.sha256} {model.tags}"
        f" {model.licence} {dict(model.thresholds)}"
        for model in MODELS
    )
    assert hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16] == "464ae45b3f47713c"


def test_no_pin_was_pasted_twice() -> None:
    assert len({model.revision for model in ON_THE_HUB}) == len(ON_THE_HUB)
    assert len({model.model.sha256 for model in ON_THE_HUB}) == len(ON_THE_HUB)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
def test_thresholds_are_probabilities_of_known_categories(model: ModelDescription) -> None:
    assert set(model.thresholds) <= {"all", "general", "character"}
    assert all(0 < value < 1 for value in model.thresholds.values())


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
        assert find_by_sha256(model.model.sha256 or "") is model
    assert find_by_sha256("0" * 64) is None
