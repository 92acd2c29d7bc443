"""Models of several files on the hub, with the real client: weights apart, thresholds, descriptions, terms."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.support.hub_server import COMMIT, FakeHub
from tests.support.model_hub import OLD_CLIENT, cache, hub, no_connection_is_left_to_other_tests
from tests.support.onnx_models import expected, random_weights, save_model, write_csv
from wd14 import Tagger
from wd14.errors import DescriptionError, DownloadError, ModelContractError, ModelNotFoundError
from wd14.input_spec import InputSpec
from wd14.model.files import registry
from wd14.model.files.by_hand import folder_by_hand
from wd14.model.files.description import FileDescription, ModelDescription, described
from wd14.model.files.find import ModelFiles, find_here, find_model, is_here

__all__ = ["cache", "hub", "no_connection_is_left_to_other_tests"]

SIZE = 32
TAGS = 700
KNOWN = "someone/known-tagger"
OTHER = "someone/other-tagger"
PICTURE = np.random.default_rng(3).integers(0, 255, (1, 3, SIZE, SIZE), dtype=np.uint8)
STAGES = {
    "test": [
        {"type": "pad_to_size", "size": [40, 40], "background_color": "white", "interpolation": "bilinear"},
        {"type": "resize", "size": SIZE, "interpolation": "bicubic", "max_size": None, "antialias": True},
        {"type": "center_crop", "size": [SIZE, SIZE]},
        {"type": "maybe_to_tensor"},
        {"type": "normalize", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
    ]
}

pytestmark = OLD_CLIENT


@pytest.fixture
def published(tmp_path: Path) -> dict[str, bytes]:
    """The files of a tagger with its weights apart, thresholds, and its pictures described by steps."""
    folder = tmp_path / "published"
    whole = save_model(folder / "m.onnx", random_weights(TAGS), layout="NCHW", size="side", three_outputs=True)
    onnx.save(
        onnx.load(whole), str(folder / "model.onnx"), save_as_external_data=True, location="model.onnx.data",
        size_threshold=0,
    )  # fmt: skip
    whole.unlink()
    write_csv(folder / "selected_tags.csv", [9] * 4 + [0] * (TAGS - 6) + [4] * 2)
    (folder / "preprocess.json").write_text(json.dumps(STAGES))
    (folder / "thresholds.csv").write_text("category,name,threshold\n0,general,0.3\n4,character,0.8\n")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def entry(files: dict[str, bytes], name: str) -> dict[str, Any]:
    return {"path": f"v2/{name}", "sha256": hashlib.sha256(files[name]).hexdigest()}


@pytest.fixture
def known(hub: FakeHub, published: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> ModelDescription:
    """That tagger, in a folder of its repository, in the list of known models."""
    hub.add(KNOWN, {f"v2/{name}": data for name, data in published.items()})
    description = described(
        {
            "id": KNOWN,
            "repo": KNOWN,
            "revision": COMMIT,
            "model": entry(published, "model.onnx"),
            "external": [entry(published, "model.onnx.data")],
            "labels": entry(published, "selected_tags.csv"),
            "thresholds_file": entry(published, "thresholds.csv"),
            "preprocess": entry(published, "preprocess.json"),
            "input": {"name": "input_1:0", "layout": "NCHW", "channels": "RGB"},
            "output": {"name": "prediction", "activation": "none"},
            "use_own_thresholds": True,
        }
    )
    monkeypatch.setattr(registry, "_BY_ID", {KNOWN: description})
    return description


def scores(model: str | Path | ModelFiles) -> Any:
    tagger = Tagger.load(model, device="cpu")
    return tagger.run(PICTURE)


def test_a_known_model_of_several_files(hub: FakeHub, known: ModelDescription, tmp_path: Path) -> None:
    assert not is_here(known)
    found = find_model(KNOWN)
    assert {request.path.rpartition("/")[2] for request in hub.asked("GET")} == {file.name for file in known.files}
    assert (found.spec.size, found.spec.fit, found.spec.value_range) == (SIZE, "stages", "normalized")
    assert found.thresholds.by_category == {"general": 0.3, "character": 0.8}
    assert found.thresholds.is_preferred
    assert (tmp_path / "published") not in found.model_path.parents
    assert (found.model_path.parent / "model.onnx.data").is_symlink(), "as the client's cache has it"
    hub.requests.clear()
    assert find_model(KNOWN) == find_here(KNOWN) == found
    assert hub.requests == []
    assert is_here(known)
    np.testing.assert_array_equal(scores(found), scores(tmp_path / "published"))


def test_weights_that_arrive_damaged_are_fetched_again(
    hub: FakeHub, known: ModelDescription, published: dict[str, bytes]
) -> None:
    hub.fail(path="model.onnx.data", corrupt=True)
    found = find_model(KNOWN)
    weights = found.model_path.parent / "model.onnx.data"
    assert weights.read_bytes() == published["model.onnx.data"]
    weights.resolve().unlink()
    assert not is_here(known)
    assert find_model(KNOWN).identity == found.identity


def test_all_files_by_hand(
    hub: FakeHub, known: ModelDescription, published: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.fail(method="HEAD", path="model.onnx.data", status=404, times=-1)
    with pytest.raises(ModelNotFoundError, match=r"v2/model.onnx.data .* no such file"):
        find_model(KNOWN)
    hub.fail(method="HEAD", status=500, times=-1)
    folder = folder_by_hand(KNOWN)
    assert folder is not None
    folder.mkdir(parents=True)
    for name, data in published.items():
        with pytest.raises((DownloadError, ModelNotFoundError)):
            find_model(KNOWN)
        (folder / name).write_bytes(data)
    assert find_model(KNOWN).model_path == folder / "model.onnx"
    (folder / "model.onnx.data").write_bytes(bytes(len(published["model.onnx.data"])))
    with pytest.raises(DownloadError, match=r"model.onnx.data is not the file of"):
        find_model(KNOWN)


def test_a_model_that_only_the_hub_knows_needs_no_description(
    hub: FakeHub, published: dict[str, bytes], tmp_path: Path
) -> None:
    hub.add(OTHER, published)
    found = find_model(OTHER)
    assert (found.spec.fit, found.output_name) == ("stages", "prediction")
    assert found.thresholds.by_category == {"general": 0.3, "character": 0.8}
    assert not found.thresholds.is_preferred
    assert find_model(tmp_path / "published").identity == found.identity == find_here(OTHER).identity  # type: ignore[union-attr]
    np.testing.assert_array_equal(scores(found), scores(tmp_path / "published"))
    hub.requests.clear()
    assert find_model(OTHER) == found
    assert [request.path.rpartition("/")[2] for request in hub.requests] == ["selected_tags.csv"]


def test_a_repository_with_a_description_of_its_own(hub: FakeHub, published: dict[str, bytes]) -> None:
    description = {
        "model": {"path": "onnx/graph.onnx"},
        "labels": {"path": "names.csv"},
        "input": {"size": SIZE, "layout": "NCHW", "channels": "BGR", "range": "-1..1", "resize": "squash"},
        "output": {"name": "logits", "activation": "sigmoid"},
        "thresholds": {"general": 0.7},
    }
    files = {
        "tagger.json": json.dumps(description).encode(),
        "onnx/graph.onnx": published["model.onnx"],
        "onnx/model.onnx.data": published["model.onnx.data"],
        "names.csv": published["selected_tags.csv"],
    }
    hub.add(OTHER, files)
    found = find_model(OTHER)
    assert found.spec == InputSpec(SIZE, "NCHW", "BGR", "-1..1", "squash")
    assert (found.output_name, found.activation) == ("logits", "sigmoid")
    assert found.thresholds.by_category == {"general": 0.7}
    assert find_here(OTHER) == found
    mean = PICTURE.mean(axis=(2, 3), dtype=np.float64).astype(np.float32) / 127.5 - 1
    np.testing.assert_allclose(scores(found), expected(mean, random_weights(TAGS)), rtol=1e-4)
    del files["onnx/model.onnx.data"]
    hub.add("someone/third", files)
    with pytest.raises(ModelNotFoundError, match=r"onnx/graph.onnx keeps weights in 'model.onnx.data', which is miss"):
        find_model("someone/third")
    hub.add("someone/fourth", files | {"tagger.json": b'{"model": {"path": "x.onnx"}, "labels": {"path": 3}}'})
    with pytest.raises(DescriptionError, match=r"tagger.json: labels.path: expected a text, got 3"):
        find_model("someone/fourth")


def test_what_else_a_repository_has_is_asked_once(hub: FakeHub, published: dict[str, bytes]) -> None:
    hub.add(OTHER, {name: published[name] for name in ("model.onnx", "model.onnx.data", "selected_tags.csv")})
    find_model(OTHER)
    for name in ("tagger.json", "preprocess.json", "thresholds.csv"):
        assert len(hub.asked("HEAD", name)) == 1
    hub.requests.clear()
    find_model(OTHER)
    assert [request.path.rpartition("/")[2] for request in hub.requests] == ["selected_tags.csv"]


def test_a_model_that_an_earlier_version_fetched_needs_no_network(
    hub: FakeHub, cache: Path, published: dict[str, bytes]
) -> None:
    """It did not ask what else there is: where nobody can be asked now, the model is used as it was."""
    hub.add(OTHER, {name: published[name] for name in ("model.onnx", "model.onnx.data", "selected_tags.csv")})
    first = find_model(OTHER)
    for note in (cache / "models--someone--other-tagger" / ".no_exist").rglob("*.*"):
        note.unlink()
    hub.fail(method="HEAD", status=500, times=-1)
    lines: list[str] = []
    assert find_model(OTHER, log=lines.append) == first
    assert sum("going on without asking what else" in line for line in lines) == 1


def test_a_gated_model_says_so_before_anybody_is_asked(
    hub: FakeHub, known: ModelDescription, monkeypatch: pytest.MonkeyPatch
) -> None:
    gated = replace(known, gated=True)
    monkeypatch.setattr(registry, "_BY_ID", {KNOWN: gated})
    hub.gated.add(KNOWN)
    there = rf"Accept the terms at https://huggingface\.co/{KNOWN}, then set HF_TOKEN"
    mirror = hub.url
    monkeypatch.setenv("HF_ENDPOINT", "")
    with pytest.raises(DownloadError, match=f"no token is set. {there}"):
        find_model(KNOWN)
    assert hub.requests == []
    monkeypatch.setenv("HF_ENDPOINT", mirror)
    with pytest.raises(DownloadError, match=f"answered 401: access to this model is restricted. {there}"):
        find_model(KNOWN)
    hub.fail(method="HEAD", status=401)  # with no word on why
    with pytest.raises(DownloadError, match=f"answered 401: access to this model is restricted. {there}"):
        find_model(KNOWN)
    monkeypatch.setenv("HF_TOKEN", "hf_who")
    with pytest.raises(DownloadError, match=f"answered 403: access to this model is restricted. {there}"):
        find_model(KNOWN)
    hub.accepted.add("hf_who")
    assert find_model(KNOWN).labels
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setenv("HF_ENDPOINT", "")
    assert find_model(KNOWN).labels, "what is here needs no token"


def test_another_revision_of_a_model_with_weights_apart(
    hub: FakeHub, known: ModelDescription, published: dict[str, bytes]
) -> None:
    files = {f"v2/{name}": data for name, data in published.items()}
    hub.add(KNOWN, files, revision="dev")
    assert find_model(f"{KNOWN}@dev").spec == find_model(KNOWN).spec
    hub.add(KNOWN, files | {"v2/model.onnx": b"<html>"}, revision="b" * 40)
    with pytest.raises(ModelContractError, match="a web page, not an ONNX model"):
        find_model(f"{KNOWN}@{'b' * 40}")


def test_a_known_model_of_which_nothing_is_pinned(
    hub: FakeHub, known: ModelDescription, published: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is taken as it is today, all files of one commit; thresholds that nobody confirmed may be missing."""
    loose = replace(
        known,
        revision=None,
        external=(),
        model=replace(known.model, sha256=None),
        labels=replace(known.labels, sha256=None),
        published=FileDescription("v2/thresholds.csv"),
        preprocess=FileDescription("v2/preprocess.json"),
    )
    monkeypatch.setattr(registry, "_BY_ID", {KNOWN: loose})
    hub.add(KNOWN, {f"v2/{name}": data for name, data in published.items() if name != "thresholds.csv"})
    found = find_model(KNOWN)
    assert (found.thresholds.by_category, found.pinned) == ({}, False)
    assert [file.path.name for file in found.hashes] == ["model.onnx", "model.onnx.data"]
    assert is_here(loose)
    hub.requests.clear()
    assert find_model(KNOWN) == find_here(KNOWN) == found
    assert [(request.method, request.path) for request in hub.requests] == [
        ("HEAD", f"/{KNOWN}/resolve/main/v2/selected_tags.csv")
    ], "whether main has moved is asked"
