"""docs/taggers.md: its examples run, its tables have every field and every family."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import wd14
from tests.support.onnx_models import expected, random_weights, save_model
from wd14.errors import ModelError
from wd14.model.files import description_form as form
from wd14.model.files.description_file import parse
from wd14.model.files.registry import MODELS

PAGE = (Path(__file__).parents[2] / "docs" / "taggers.md").read_text("utf-8")
EXAMPLES = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)

SEED = 12  # a general tag is above 0.5, and one between that and the usual 0.35
NAMES = ["1girl", "solo", "rating_safe", "rating_explicit", "smile"]
MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model as the first example describes it, with the example beside it."""
    path = tmp_path / "my tagger"
    save_model(path / "model.onnx", random_weights(len(NAMES), SEED), layout="NCHW", sigmoid=False)
    (path / "tags.txt").write_text("\n".join(NAMES), encoding="utf-8")
    (path / "tagger.json").write_text(EXAMPLES[0], encoding="utf-8")
    return path


def test_a_model_works_as_the_example_describes_it(folder: Path) -> None:
    picture = Image.effect_mandelbrot((300, 200), (-2.5, -1.5, 1.5, 1.5), 50).convert("RGB")
    square = Image.new("RGB", (300, 300), "white")
    square.paste(picture, (0, 50))
    seen = np.asarray(square.resize((448, 448), Image.Resampling.BICUBIC), np.float64) / 255
    means = ((seen - MEAN) / DEVIATION).mean(axis=(0, 1))
    scores = expected(means[None].astype(np.float32), random_weights(len(NAMES), SEED))[0]

    tags = wd14.tag(picture, str(folder), thresh=0.0)
    assert tags.rating == pytest.approx({"general": scores[2], "explicit": scores[3]}, abs=1e-4)
    assert tags.general == pytest.approx({NAMES[at]: scores[at] for at in (0, 1, 4)}, abs=1e-4)
    assert (scores[[0, 1]] > 0.5).all()
    assert 0.35 < scores[4] < 0.5
    assert wd14.tag(picture, str(folder)).caption() == "1girl, solo"  # at the description's own threshold
    assert wd14.tag(picture, str(folder), thresh=0.35).caption() == "1girl, solo, smile"


def test_a_description_that_does_not_fit_is_named(folder: Path) -> None:
    description = json.loads(EXAMPLES[0])
    description["input"]["size"] = 384
    description["input"]["resize"][1]["size"] = [384, 384]
    (folder / "tagger.json").write_text(json.dumps(description), encoding="utf-8")
    with pytest.raises(
        ModelError, match=r"expected pictures of 384 .*, the graph wants 448;.*input\.size of .*tagger\.json"
    ):
        wd14.tag(Image.new("RGB", (8, 8)), str(folder))


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_is_a_description(text: str) -> None:
    assert parse(text.encode(), "tagger.json").files


def test_every_field_is_in_the_table() -> None:
    fields = {"sha256", "size", *form.ModelForm.model_fields} - {"model", "labels", "input", "output", "external"}
    fields -= {"thresholds_file", "preprocess"}
    fields |= {"external", "model.path", "labels.path", "thresholds_file.path", "preprocess.path"}
    for name in ("labels", "input", "output"):
        own = form.ModelForm.model_fields[name].annotation
        assert own is not None
        fields |= {
            f"{name}.{field}" for field in own.model_fields if field not in ("sha256", "size") or name == "input"
        }
    rows = [row.split("|")[1] for row in PAGE.partition("| field |")[2].partition("\n\n")[0].splitlines()[2:]]
    assert {name for row in rows for name in re.findall("`([^`]+)`", row)} == fields


def test_every_known_model_is_on_the_page() -> None:
    owners = {model.id.partition("/")[0] for model in MODELS if model.repo}
    assert [owner for owner in owners if f"`{owner}/" not in PAGE] == []
    kinds = {"resize", "center_crop", "pad_to_size", "pad_to_square"}
    assert {kind for kind in kinds if f'{{"type": "{kind}"' in PAGE} == kinds
