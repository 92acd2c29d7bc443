"""Models of every family, as their authors publish them: whole jobs, compared with what the authors' code makes of it.

The small files of tests/support/families.py take the place of a known model's on the hub, or lie in a folder with a
`tagger.json` or the `preprocess.json` of their author.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import constants
from PIL import Image

from tests.support.families import FAMILIES, PICTURES, RATINGS, Family
from tests.support.hub_server import FakeHub, running_hub
from wd14 import CaptionConfig, caption_dataset, tag
from wd14.model.files import registry
from wd14.model.files.description import ModelDescription
from wd14.model.files.hashes import sha256_of

GOLDEN = Path(__file__).parents[1] / "golden"
USUAL = {"": 0.35, "character": 0.85}
#: How close to scores that were worked out in float64 those of a job are, which come with four digits.
CLOSE = 1e-4


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """The hub, and a client with an empty cache."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    with running_hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", "hf_somebody")
        yield server


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in PICTURES:
        shutil.copy(GOLDEN / "pictures" / name, folder)
    return folder


def publish(folder: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch, *families: Family) -> None:
    """Puts small files where the list says that the real ones are, and their hashes into the list."""
    small = [_published(family, folder / str(place), hub) for place, family in enumerate(families)]
    monkeypatch.setattr(registry, "_BY_ID", {each.id.lower(): each for each in small})
    monkeypatch.setattr(registry, "_BY_SHA256", {each.model.sha256: each for each in small})


def _published(family: Family, folder: Path, hub: FakeHub) -> ModelDescription:
    known = registry.find(family.id)
    assert known is not None, f"{family.id} is not in the list"
    folder.mkdir(parents=True)
    family.write(folder)

    def described(file: Any) -> Any:
        path = folder / file.name
        return replace(file, sha256=sha256_of(path), size=path.stat().st_size)

    files = {file.path: (folder / file.name).read_bytes() for file in known.files}
    hub.add(str(known.repo), files, revision=known.revision or "main")
    return replace(
        known,
        model=described(known.model),
        labels=described(known.labels),
        external=tuple(map(described, known.external)),
        published=known.published and described(known.published),
        preprocess=known.preprocess and described(known.preprocess),
    )


def captions(pictures: Path, output: Path, **values: Any) -> dict[str, list[str]]:
    """The tags of each picture in a job with these parameters."""
    config = CaptionConfig(profile="reference", **({"device": "cpu"} | values))
    summary = caption_dataset(pictures, config, output=output)
    assert (summary.succeeded, summary.failed) == (len(PICTURES), 0)
    lines = (Path(str(summary.output)) / "train" / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["file_name"]: row["caption"].split(", ") for row in map(json.loads, lines)}


def worked_out(family: Family, pictures: Path, usual: Mapping[str, float] | None) -> dict[str, list[str]]:
    """The same by the family's own rules; at these thresholds, or its published ones."""
    found = {}
    for name in PICTURES:
        scores = family.scores(Image.open(pictures / name))
        margin = np.abs(scores - family.limits(usual)).min()
        assert margin > CLOSE, f"{name}: a threshold too close to call; choose another seed"
        found[name] = family.caption(scores, usual)
    return found


def check_scores(
    model: str | Path, pictures: Path, tags: Sequence[tuple[str, str]], expected: Mapping[str, Sequence[float]]
) -> None:
    """Compares every score that is not next to nothing, by the tag's name and category."""
    everything = {"thresh": 0.02, "character_threshold": 0.02, "device": "cpu", "profile": "reference"}
    found = tag([pictures / name for name in PICTURES], model, **everything)
    for name, result in zip(PICTURES, found, strict=True):
        seen = {
            (each, category): score for category, scores in result.categories.items() for each, score in scores.items()
        }
        for pair, score in zip(tags, expected[name], strict=True):
            if not pair[1]:
                assert pair not in seen, f"{name}: {pair[0]} is no tag"
            elif score > 0.03 and pair[1] != "quality":
                assert seen[pair] == pytest.approx(score, abs=CLOSE), f"{name}: {pair}"


def scores_of(family: Family, pictures: Path) -> dict[str, list[float]]:
    return {name: family.scores(Image.open(pictures / name)).tolist() for name in PICTURES}


@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in ("convnextv2-huge", "camie-v1")])
def test_a_known_model_by_its_name(
    name: str, hub: FakeHub, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = FAMILIES[name]()
    publish(tmp_path / "small", hub, monkeypatch, family)
    model = {"generation_model": family.id}
    check_scores(family.id, pictures, family.tags, scores_of(family, pictures))

    plain = captions(pictures, tmp_path / "plain", **model)
    assert plain == worked_out(family, pictures, None if family.is_far else USUAL)
    usual = captions(pictures, tmp_path / "usual", **model, thresh=0.35, character_threshold=0.85)
    assert usual == worked_out(family, pictures, USUAL)
    if family.thresholds:
        own = captions(pictures, tmp_path / "own", **model, threshold_mode="model")
        assert own == worked_out(family, pictures, None)


@pytest.mark.parametrize("name", ["cl-v2", "oppai-oracle", "camie-v2", "animetimm", "idolsankaku"])
def test_the_best_rating_by_our_name_and_the_best_quality(
    name: str, hub: FakeHub, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = FAMILIES[name]()
    publish(tmp_path / "small", hub, monkeypatch, family)
    found = captions(pictures, tmp_path / "out", generation_model=family.id, rating="first", quality="last")
    for picture in PICTURES:
        scores = family.scores(Image.open(pictures / picture))
        assert found[picture][0] == family.best("rating", scores)
        if name == "cl-v2":
            assert found[picture][-1] == family.best("quality", scores)


@pytest.mark.parametrize("device", ["cpu", "openvino"])
def test_padding_is_told_in_batches_too(
    device: str, hub: FakeHub, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pictures of a batch have other sizes, so each has padding of its own."""
    if device == "openvino":
        pytest.importorskip("openvino")
    family = FAMILIES["oppai-oracle"]()
    publish(tmp_path / "small", hub, monkeypatch, family)
    found = captions(pictures, tmp_path / "out", generation_model=family.id, device=device, batch_size=3)
    assert found == worked_out(family, pictures, None)


def test_three_families_vote(hub: FakeHub, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each at its own thresholds, over what their lists have in common; a tag that one knows is as that one says."""
    families = [FAMILIES[name]() for name in ("pixai-v0.9", "oppai-oracle", "animetimm")]
    publish(tmp_path / "small", hub, monkeypatch, *families)
    first, *further = (family.id for family in families)
    found = captions(pictures, tmp_path / "out", generation_model=first, ensemble=further, rating="first")
    alone = [worked_out(family, pictures, None if family.is_far else USUAL) for family in families]
    for picture in PICTURES:
        known, kept = Counter[str](), Counter[str]()
        for family, each in zip(families, alone, strict=True):
            known.update(name for name, category in family.tags if category not in ("", "rating"))
            kept.update(each[picture])
        scores = [family.scores(Image.open(pictures / picture)) for family in families]
        mean = {
            rating: sum(scores[place][families[place].tags.index((rating, "rating"))] for place in (1, 2))
            for rating in RATINGS
        }
        assert found[picture][0] == max(mean, key=lambda rating: mean[rating])
        assert set(found[picture][1:]) == {name for name in known if kept[name] >= min(2, known[name])}


HALF = {"mean": [0.5, 0.5, 0.5], "deviation": [0.5, 0.5, 0.5]}
IMAGENET = {"mean": [0.485, 0.456, 0.406], "deviation": [0.229, 0.224, 0.225]}
#: Conversions with weights in a file of their own, as a person may describe them.
DESCRIPTIONS: dict[str, dict[str, Any]] = {
    "pixai-v1.0-blocks": {
        "model": {"path": "model.onnx"},
        "external": [{"path": "model.onnx.data"}],
        "labels": {"path": "tags.json"},
        "thresholds": {"general": 0.17, "character": 0.27, "copyright": 0.24, "style": 0.15, "meta": 0.17},
        "use_own_thresholds": True,
        "input": {
            "size": 1008,
            "layout": "NCHW",
            "channels": "RGB",
            "range": HALF,
            "resize": [
                {"type": "pad_to_size", "size": [1008, 1008], "background_color": "black", "rounding": "truncate"}
            ],
        },
        "output": {"name": "logits", "activation": "sigmoid"},
    },
    "convnextv2-huge": {
        "model": {"path": "model.onnx"},
        "external": [{"path": "model.onnx_data"}],
        "labels": {"path": "selected_tags.csv"},
        "use_own_thresholds": True,
        "input": {
            "size": 512,
            "layout": "NCHW",
            "channels": "RGB",
            "range": IMAGENET,
            "resize": [{"type": "pad_to_size", "size": [512, 512]}],
        },
        "output": {"activation": "none"},
    },
}


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_a_model_that_a_person_describes(name: str, pictures: Path, tmp_path: Path) -> None:
    family = FAMILIES[name]()
    folder = family.write(tmp_path / "mine").parent
    (folder / "tagger.json").write_text(json.dumps(DESCRIPTIONS[name]), encoding="utf-8")
    check_scores(folder, pictures, family.tags, scores_of(family, pictures))
    assert captions(pictures, tmp_path / "out", custom_model=str(folder)) == worked_out(family, pictures, None)


#: What a person must say of a file with other names than ours for it to have a say.
MORE = {
    "camie-v1": {
        "model": {"path": "model.onnx"},
        "labels": {"path": "selected_tags.csv", "categories": {"10": "year"}},
        "preprocess": {"path": "preprocess.json"},
        "thresholds_file": {"path": "threshold.json"},
    }
}


@pytest.mark.parametrize("name", ["pixai-v0.9", "camie-v1", "animetimm"])
@pytest.mark.parametrize("from_hub", [False, True], ids=["folder", "hub"])
def test_a_model_with_the_files_of_its_authors_library(
    name: str, from_hub: bool, hub: FakeHub, pictures: Path, tmp_path: Path
) -> None:
    """Its authors' own code was run on the same files, and says which scores and tags are right."""
    peer = json.loads((GOLDEN / "family_scores.json").read_bytes())[name]
    family = FAMILIES[name]()
    folder = family.write(tmp_path / "mine").parent
    model = str(folder)
    peers = {picture: peer[picture]["scores"] for picture in PICTURES}
    tags = [(each, "category_10" if category == "year" else category) for each, category in family.tags]
    check_scores(folder, pictures, tags, peers)
    if name in MORE:
        (folder / "tagger.json").write_text(json.dumps(MORE[name]), encoding="utf-8")
    if from_hub:
        model = "somebody/tagger"
        hub.add(model, {path.name: path.read_bytes() for path in folder.iterdir()})
    check_scores(model, pictures, family.tags, peers)
    found = captions(pictures, tmp_path / "out", custom_model=model, threshold_mode="model")
    for picture in PICTURES:
        kept = peer[picture]["kept"].items()
        assert sorted(found[picture]) == sorted(each for kind, names in kept if kind != "rating" for each in names)
