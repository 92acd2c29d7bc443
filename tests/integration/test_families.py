"""Models of every family, as their authors publish them: whole jobs, compared with what the authors' code makes of it.

The small files of tests/support/families.py take the place of a known model's on the hub, or lie in a folder with a
`tagger.json` or the `preprocess.json` of their author.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import constants
from PIL import Image

from tests.support.families import FAMILIES, PICTURES, Family
from tests.support.hub_server import FakeHub, running_hub
from wd14 import CaptionConfig, caption_dataset
from wd14.model.files import registry
from wd14.model.files.hashes import sha256_of
from wd14.model.files.registry import ModelDescription

GOLDEN = Path(__file__).parents[1] / "golden"
USUAL = {"": 0.35, "character": 0.85}
#: How close to the scores that were worked out in float64 a job's must be.
CLOSE = 2e-5


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


def published(family: Family, folder: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> ModelDescription:
    """Puts a family's small files where its description says that the real ones are, and their hashes into that."""
    known = registry.find(family.id)
    assert known is not None, f"{family.id} is not in the list"
    family.write(folder)

    def described(file: Any) -> Any:
        path = folder / file.name
        return replace(file, sha256=sha256_of(path), size=path.stat().st_size)

    revision = known.revision or "main"
    hub.add(str(known.repo), {file.path: (folder / file.name).read_bytes() for file in known.files}, revision=revision)
    small = replace(
        known,
        model=described(known.model),
        labels=described(known.labels),
        external=tuple(map(described, known.external)),
        published=known.published and described(known.published),
        preprocess=known.preprocess and described(known.preprocess),
    )
    monkeypatch.setattr(registry, "_BY_ID", {known.id.lower(): small})
    monkeypatch.setattr(registry, "_BY_SHA256", {small.model.sha256: small})
    return small


def captions(pictures: Path, output: Path, **values: Any) -> dict[str, list[str]]:
    """The tags of each picture in a job with these parameters."""
    config = CaptionConfig(device="cpu", profile="reference", **values)
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
        assert margin > 10 * CLOSE, f"{name}: a threshold too close to call; choose another seed"
        found[name] = family.caption(scores, usual)
    return found


@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in ("pixai-v1.0-blocks", "convnextv2-huge")])
def test_a_known_model_by_its_name(
    name: str, hub: FakeHub, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = FAMILIES[name]()
    published(family, tmp_path / "small", hub, monkeypatch)
    model = {"generation_model": family.id}

    plain = captions(pictures, tmp_path / "plain", **model)
    assert plain == worked_out(family, pictures, None if family.is_far else USUAL)
    usual = captions(pictures, tmp_path / "usual", **model, thresh=0.35, character_threshold=0.85)
    assert usual == worked_out(family, pictures, USUAL)
    if family.thresholds:
        own = captions(pictures, tmp_path / "own", **model, threshold_mode="model")
        assert own == worked_out(family, pictures, None)


@pytest.mark.parametrize("name", ["cl-v2", "oppai-oracle", "camie-v2", "animetimm", "idolsankaku"])
def test_ratings_have_our_names(
    name: str, hub: FakeHub, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = FAMILIES[name]()
    published(family, tmp_path / "small", hub, monkeypatch)
    found = captions(pictures, tmp_path / "out", generation_model=family.id, rating="first")
    for picture in PICTURES:
        scores = family.scores(Image.open(pictures / picture))
        assert found[picture][0] == family.best("rating", scores)
