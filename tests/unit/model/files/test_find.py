"""Finding a model with no hub: the built-in one, folders, and names that are none."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest

from tests.support.onnx_models import random_weights, save_model, wd14_folder, write_csv
from wd14 import Tagger
from wd14.config import BUILTIN_MODEL
from wd14.errors import ConfigError, JobStoppedError, LabelsError, ModelContractError, ModelError, ModelNotFoundError
from wd14.input_spec import InputSpec
from wd14.model.files import hashes, registry
from wd14.model.files.find import ModelFiles, find_here, find_model, is_here
from wd14.model.files.registry import MODELS, find
from wd14.stop import StopToken

SIZE = 32


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    wd14_folder(tmp_path / "tagger", size=SIZE)
    return tmp_path / "tagger"


def test_the_builtin_model_is_always_there() -> None:
    found = find_model(BUILTIN_MODEL)
    builtin = find(BUILTIN_MODEL)
    assert builtin is not None
    assert found.model_path.is_file()
    assert is_here(builtin)
    assert find_model("Builtin/Colours ").identity == found.identity


def test_a_folder_in_any_spelling(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    spellings: list[str | Path] = [
        folder,
        str(folder),
        f"{folder}/",
        "tagger",
        "./tagger",
        "~/tagger",
        folder / "model.onnx",
        f" {folder} ",
    ]
    assert len({find_model(spelling).identity for spelling in spellings}) == 1


def test_what_a_folder_says_of_itself(folder: Path) -> None:
    found = find_model(folder)
    assert not found.thresholds
    assert (found.spec.size, found.spec.layout, found.activation) == (SIZE, "NHWC", "none")
    assert len(found.labels) == 12


def test_the_identity_follows_the_content_and_not_the_place(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    identity = find_model(folder).identity
    assert find_model(copy).identity == identity
    with (copy / "selected_tags.csv").open("a") as file:
        file.write("\n")
    assert find_model(copy).identity != identity
    save_model(folder / "model.onnx", random_weights(12, seed=5), size=SIZE)
    assert find_model(folder).identity != identity


def test_scores_that_1_0_stored_stay_valid(folder: Path) -> None:
    files = [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("model.onnx", "selected_tags.csv")]
    spec = "InputSpec(size=32, layout='NHWC', channels='BGR', value_range='0..255', fit='pad')"
    assert find_model(folder).identity == hashlib.sha256("\n".join(["1", *files, spec, "none"]).encode()).hexdigest()


def test_weights_in_a_file_of_their_own_are_part_of_the_identity(tmp_path: Path) -> None:
    folder = tmp_path / "tagger"
    wd14_folder(folder, size=SIZE)
    model = onnx.load(folder / "model.onnx")
    onnx.save(model, str(folder / "model.onnx"), save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert Tagger.load(folder).labels
    before = find_model(folder).identity
    data = bytearray((folder / "weights.bin").read_bytes())
    data[0] ^= 1
    (folder / "weights.bin").write_bytes(bytes(data))
    assert find_model(folder).identity != before
    (folder / "weights.bin").unlink()
    with pytest.raises(ModelContractError, match=r"keeps weights in 'weights.bin', which is not there"):
        find_model(folder)


def test_weights_outside_of_the_folder_are_never_opened(tmp_path: Path) -> None:
    folder = tmp_path / "tagger"
    wd14_folder(folder, size=SIZE)
    model = onnx.load(folder / "model.onnx")
    onnx.save(model, str(folder / "model.onnx"), save_as_external_data=True, location="weights.bin", size_threshold=0)
    (folder / "weights.bin").rename(tmp_path / "weights.bin")
    model = onnx.load(folder / "model.onnx", load_external_data=False)
    for weight in model.graph.initializer:
        for entry in weight.external_data:
            if entry.key == "location":
                entry.value = "../weights.bin"
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    for opener in (find_model, Tagger.load):
        with pytest.raises(ModelContractError, match="outside the model's folder"):
            opener(folder)


def test_opening_a_folder_again_reads_next_to_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run from stored scores waits for: 100 MB of weights, not hashed again."""
    monkeypatch.setattr(hashes, "_SETTLED_NS", -1 << 40)  # a file that was left alone since
    folder = tmp_path / "tagger"
    save_model(folder / "model.onnx", random_weights(3_000_000), size=SIZE)
    names = "\n".join(f"{index},t{index},0,1" for index in range(10))
    (folder / "selected_tags.csv").write_text(f"tag_id,name,category,count\n{names}\n")
    with pytest.raises(ModelContractError):
        find_model(folder)
    started = time.perf_counter()
    with pytest.raises(ModelContractError, match=r"has 10 tags, .* 3000000"):
        find_model(folder)
    assert time.perf_counter() - started < 0.2


def test_other_names_of_the_two_files(folder: Path) -> None:
    (folder / "model.onnx").rename(folder / "model_optimized.onnx")
    assert find_model(folder).model_path.name == "model_optimized.onnx"
    (folder / "model_optimized.onnx").rename(folder / "my-tagger.onnx")
    assert find_model(folder).model_path.name == "my-tagger.onnx"
    shutil.copy(folder / "my-tagger.onnx", folder / "another.onnx")
    with pytest.raises(ModelNotFoundError, match=r"expected model.onnx, found another.onnx, my-tagger.onnx"):
        find_model(folder)
    (folder / "another.onnx").rename(folder / "another.ONNX")
    assert find_model(folder / "another.ONNX").model_path.name == "another.ONNX"


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("model.onnx", r"expected model.onnx, found no .onnx file"),
        (
            "selected_tags.csv",
            r"expected the model.s list of tags, selected_tags.csv or tag_mapping.json, or a tagger",
        ),
    ],
)
def test_a_folder_with_only_one_of_the_two_files(folder: Path, missing: str, message: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(ModelNotFoundError, match=message):
        find_model(folder)


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("model.onnx", b"version https://git-lfs.github.com/spec/v1\n", ModelContractError, "Git LFS pointer"),
        ("model.onnx", b"<!doctype html>", ModelContractError, "web page"),
        ("model.onnx", b"", ModelContractError, "is empty"),
        ("selected_tags.csv", b"version https://git-lfs.github.com/spec/v1\n", LabelsError, "Git LFS pointer"),
        ("selected_tags.csv", b"tag_id,category\n1,0\n", LabelsError, "no column 'name'"),
        ("selected_tags.csv", b"tag_id,name,category\n1,\xe9t\xe9,0\n", LabelsError, "not UTF-8"),
        ("selected_tags.csv", b"tag_id,name,category\n1,a,0\n", ModelContractError, r"has 1 tags, .* 12\)"),
    ],
)
def test_a_folder_with_a_bad_file(folder: Path, name: str, content: bytes, error: Any, message: str) -> None:
    (folder / name).write_bytes(content)
    for opener in (find_model, Tagger.load):
        with pytest.raises(error, match=message) as caught:
            opener(folder)
        assert str(folder) in str(caught.value)


def test_a_truncated_model(folder: Path) -> None:
    data = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelContractError, match="is cut off"):
        find_model(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wd-v1-4-convnext-tager-v2", r"Did you mean SmilingWolf/wd-v1-4-convnext-tagger-v2\?"),
        ("builtin/colors", r"Did you mean builtin/colours\?"),
        ("builtin/colours@v2", r"builtin/colours has no revisions"),
        ("no-such-thing", r"there is no model 'no-such-thing'. Expected a model of the list"),
        ("", "there is no model ''"),
        ("../../etc/passwd", "there is no model"),
        ("/no/such/folder", "there is no model '/no/such/folder'"),
        ("owner/na me", "there is no model"),
        ("owner/name/../../x", "there is no model"),
        ("C:\\models\\tagger", "there is no model"),
        ("/no/such/model.onnx", "list of tags, selected_tags.csv|there is no"),
        ("a" * 5000, r"there is no model 'a{200}…'"),
        ("/" + "a" * 3000, r"there is no model '/a{199}…'"),
        ("a" * 300 + ".onnx", "list of tags, selected_tags.csv"),
        ("owner/na\0me", r"there is no model 'owner/na\\x00me'"),
        ("~\0/model.onnx", "there is no model"),
        ("owner/na\nme", r"there is no model 'owner/na\\nme'"),
        ("owner/\udc80", r"there is no model 'owner/\\udc80'"),
    ],
)
def test_a_name_that_is_none(text: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match=message):
        find_model(text)


def test_a_path_that_is_not_there_is_not_looked_for_on_the_hub(tmp_path: Path) -> None:
    for path in ("owner/name", BUILTIN_MODEL, "~no-such-user/model"):
        with pytest.raises(ModelNotFoundError, match="there is no model"):
            find_model(Path(path))
    with pytest.raises(ModelNotFoundError, match=r"no model file .*mine.onnx: there is no folder .*nowhere"):
        find_model(str(tmp_path / "nowhere" / "mine.onnx"))


@pytest.mark.parametrize("name", ["model.onnx", "selected_tags.csv"])
@pytest.mark.parametrize("kind", ["a pipe", "a folder"])
def test_what_is_no_file_is_not_waited_for(folder: Path, name: str, kind: str) -> None:
    (folder / name).unlink()
    (os.mkfifo if kind == "a pipe" else os.mkdir)(folder / name)
    with pytest.raises(ModelError, match=f"it is {kind}"):
        find_model(folder)


@pytest.mark.parametrize("name", ["model.onnx", "weights.bin"])
def test_weights_that_are_replaced_before_the_session_opens_are_not_used(folder: Path, name: str) -> None:
    """Their scores would be stored as those of the weights that were hashed."""
    model = onnx.load(folder / "model.onnx")
    onnx.save(model, str(folder / "model.onnx"), save_as_external_data=True, location="weights.bin", size_threshold=0)
    found = find_model(folder)
    state = (folder / name).stat()
    shutil.copy(folder / name, folder / "other")
    (folder / "other").replace(folder / name)
    os.utime(folder / name, ns=(state.st_atime_ns, state.st_mtime_ns))
    with pytest.raises(ModelError, match=f"{name} was changed"):
        Tagger.load(found)


def test_stop_ends_the_hashing_of_a_large_model(folder: Path) -> None:
    stop = StopToken()
    stop.request()
    with pytest.raises(JobStoppedError):
        find_model(folder, stop=stop)


def test_every_model_of_the_list_can_be_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    for model in MODELS:
        assert is_here(model) == (model.repo is None)


def test_an_unknown_device_is_a_matter_of_the_configuration(folder: Path) -> None:
    with pytest.raises(ConfigError):
        Tagger.load(folder, device="tpu")


def test_labels_come_from_the_file_whatever_the_categories(tmp_path: Path) -> None:
    save_model(tmp_path / "model.onnx", random_weights(3), size=SIZE)
    write_csv(tmp_path / "selected_tags.csv", [4, 4, 4])
    assert set(find_model(tmp_path).labels.categories) == {"character"}


def test_what_of_a_model_is_here_is_found_without_asking_anybody(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))

    def cache(repo: str, revision: str, *names: str) -> None:
        place = tmp_path / "hub" / f"models--{repo.replace('/', '--')}" / "snapshots" / revision
        place.mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copy(folder / name, place / name)

    assert isinstance(find_here(BUILTIN_MODEL), ModelFiles)
    assert isinstance(find_here(str(folder)), ModelFiles)
    known = replace(MODELS[0], spec=InputSpec(size=SIZE))
    monkeypatch.setattr(registry, "_BY_ID", {known.id.lower(): known})
    assert find_here(known.id) is find_here("owner/name@abc") is None
    for model, revision in ((known.id, known.revision or ""), ("owner/name@abc", "abc")):
        repo = model.partition("@")[0]
        cache(repo, revision, "selected_tags.csv")
        assert find_here(model) == find_model(folder).labels
        cache(repo, revision, "model.onnx")
        found = find_here(model)
        assert isinstance(found, ModelFiles)
        assert found.identity == find_model(folder).identity
    with pytest.raises(ModelNotFoundError, match="Did you mean"):
        find_here("wd-vit-taggr-v3")
