"""The package from Python: `wd14.tag`, `wd14.models`, the names at the top."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import constants
from PIL import Image

import wd14
from tests.support.scripted_model import Tag, save_scripted_model

TAGS = [
    Tag("safe", 9, 0.3),
    Tag("explicit", 9, 0.6),
    Tag("long_hair", 0, 0.5),
    Tag("solo", 0, 0.9),
    Tag("smile", 0, 0.2),
    Tag("bright", 0, 0.0, pixel=(224, 224), gain=1.0),
    Tag("rin_(x)", 4, 0.9),
]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_scripted_model(tmp_path / "model", TAGS)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.new("RGB", (30, 20), (255, 255, 255)).save(tmp_path / "white.png")
    return tmp_path / "white.png"


def test_one_picture_has_tags_by_category_best_first_and_a_caption(picture: Path, model: Path) -> None:
    tags = wd14.tag(picture, model)
    assert isinstance(tags, wd14.Tags)
    assert list(tags.general.items()) == [
        ("bright", 1.0),
        ("solo", pytest.approx(0.9, abs=1e-3)),
        ("long_hair", pytest.approx(0.5, abs=1e-3)),
    ]
    assert list(tags.character) == ["rin_(x)"]
    assert list(tags.rating) == ["explicit", "safe"]
    assert tags.caption() == "long_hair, solo, bright, rin_(x)"
    assert tags.error is None


def test_parameters_are_those_of_the_config(picture: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)  # tokens are estimated
    tags = wd14.tag(
        str(picture), str(model), thresh=0.15, remove_underscore=True, undesired_tags=["solo"], rating="last"
    )
    assert tags.caption() == "long hair, smile, bright, rin (x), explicit"
    assert "solo" not in tags.general
    assert wd14.tag(picture, model, max_tokens=12).caption() == "solo, bright, rin_(x)"
    with pytest.raises(wd14.ConfigError, match="no parameter 'tresh'; did you mean thresh"):
        wd14.tag(picture, model, tresh=0.15)
    with pytest.raises(wd14.ConfigError, match="from 0 to 1"):
        wd14.tag(picture, model, thresh=7)


def test_paths_bytes_and_pillow_images_are_the_same_picture(picture: Path, model: Path) -> None:
    given: list[Any] = [
        picture,
        str(picture),
        picture.read_bytes(),
        Image.open(picture),
        Image.open(picture).convert("CMYK"),
    ]
    assert len({repr(tags) for tags in wd14.tag(given, model)}) == 1


def test_a_pillow_image_is_turned_upright_once(tmp_path: Path) -> None:
    """Upright, its upper half is black; the file has it lying on its side, between white padding above and below."""
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = np.zeros((40, 400, 3), np.uint8)
    lying[:, 200:] = 255
    Image.fromarray(lying).save(tmp_path / "turned.png", exif=exif)
    model = save_scripted_model(tmp_path / "above", [*TAGS, Tag("white_above", 0, 0.0, pixel=(50, 224), gain=1.0)])
    for upright in (True, False):
        both: list[Any] = [tmp_path / "turned.png", Image.open(tmp_path / "turned.png")]
        by_path, by_image = wd14.tag(both, model, exif_orientation=upright)
        assert by_path == by_image
        assert ("white_above" in by_path.general) is not upright


def test_a_bad_picture_is_a_result_with_its_reason(picture: Path, model: Path, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    closed = Image.open(picture)
    closed.close()
    missing, text, fine, odd, shut = wd14.tag(
        [tmp_path / "missing.png", tmp_path / "text.png", picture, None, closed],  # type: ignore[list-item]
        model,
    )
    assert fine.error is None
    for tags, word in ((missing, "not found"), (text, "not an image"), (odd, "NoneType"), (shut, "cannot be used")):
        assert isinstance(tags.error, wd14.RowError)
        assert word in str(tags.error)
        assert dict(tags.general) == {}
        with pytest.raises(wd14.RowError, match=word):
            tags.caption()
    with pytest.raises(wd14.RowError, match="not found"):
        wd14.tag(tmp_path / "missing.png", model)


def test_an_open_tagger_is_used_again(picture: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tagger = wd14.Tagger.load(model)
    expected = wd14.tag(picture, model)
    monkeypatch.setattr("wd14.api.find_model", lambda *_, **__: pytest.fail("the model was looked for again"))
    monkeypatch.setattr(wd14.Tagger, "load", lambda *_, **__: pytest.fail("another session was opened"))
    for _ in range(2):
        assert wd14.tag(picture, tagger, cache=False) == expected


def test_many_pictures_come_in_order_from_a_generator(model: Path) -> None:
    shades = list(range(0, 250, 5))
    found = wd14.tag((Image.new("RGB", (9, 9), (shade, shade, shade)) for shade in shades), model, thresh=0.0)
    assert [tags.general["bright"] for tags in found] == [pytest.approx(shade / 255, abs=1e-3) for shade in shades]
    assert wd14.tag([], model) == []


def test_models_and_names_at_the_top() -> None:
    known = {model.id for model in wd14.models()}
    assert {"SmilingWolf/wd-v1-4-convnext-tagger-v2", "builtin/colours"} <= known
    for name in wd14.__all__:
        assert getattr(wd14, name) is not None
        assert name in dir(wd14)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = wd14.nothing
