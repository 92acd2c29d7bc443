"""A model that fails, gives NaN, has not enough memory, reaches out of its folder, or takes too long to wait for."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support.faults import Faults, Outcome, Scene, content
from tests.support.onnx_models import write_csv
from tests.support.slow import slow_model
from tests.support.stopping_host import StoppingHost
from tests.support.tally import tally
from wd14.config import CaptionConfig
from wd14.errors import JobStoppedError
from wd14.pipeline import run_job
from wd14.types import Progress

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs fork")

SIZE, TAGS = 32, 12


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faults]:
    with Faults(tmp_path_factory.mktemp("runs")) as server:
        yield server


@pytest.fixture
def scene(faults: Faults, tmp_path: Path) -> Scene:
    return Scene(tmp_path, faults)


def tagger(
    folder: Path,
    nodes: list[onnx.NodeProto],
    weights: list[onnx.TensorProto],
    *,
    batch: int | str = "n",
    domains: tuple[str, ...] = (),
) -> Path:
    """A tagger of these nodes: from `input`, (n, 32, 32, 3), to `output`, (n, 12)."""
    graph = helper.make_graph(
        nodes,
        "tagger",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [batch, TAGS])],
        weights,
    )
    imports = [helper.make_opsetid("", 13), *(helper.make_opsetid(domain, 1) for domain in domains)]
    folder.mkdir(parents=True)
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), str(folder / "model.onnx"))
    write_csv(folder / "selected_tags.csv", [9] * 2 + [0] * (TAGS - 2))
    return folder


def constant(name: str, values: object, kind: type = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, dtype=kind), name)


MEAN = helper.make_node("ReduceMean", ["input"], ["mean"], axes=[1, 2, 3], keepdims=0)  # (n,)
ROWS = [
    helper.make_node("Unsqueeze", ["value", "axis"], ["column"]),
    helper.make_node("Mul", ["column", "ones"], ["wide"]),
    helper.make_node("Sigmoid", ["wide"], ["output"]),
]
ROW_WEIGHTS = [constant("axis", [1], np.int64), constant("ones", [[1.0] * TAGS])]


def nan_for_dark_pictures(folder: Path) -> Path:
    """log(mean - 100): not a number where a picture is dark."""
    nodes = [MEAN, helper.make_node("Sub", ["mean", "hundred"], ["less"]), helper.make_node("Log", ["less"], ["value"])]
    return tagger(folder, [*nodes, *ROWS], [*ROW_WEIGHTS, constant("hundred", 100.0)])


def fails_for_dark_pictures(folder: Path) -> Path:
    """Takes an item of a list by a number that a dark picture makes too large, which onnxruntime refuses."""
    nodes = [
        MEAN,
        helper.make_node("Less", ["mean", "hundred"], ["dark"]),
        helper.make_node("Cast", ["dark"], ["index"], to=TensorProto.INT64),
        helper.make_node("Gather", ["list", "index"], ["value"]),
    ]
    return tagger(folder, [*nodes, *ROWS], [*ROW_WEIGHTS, constant("hundred", 100.0), constant("list", [3.0])])


def dark(scene: Scene, *names: str) -> None:
    from PIL import Image

    for name in names:
        Image.new("RGB", (40, 40), (5, 5, 5)).save(scene.source / name)


@pytest.mark.parametrize("batch", ["1", "4"])
@pytest.mark.parametrize("broken", [nan_for_dark_pictures, fails_for_dark_pictures])
def test_pictures_that_the_model_cannot_score_fail_alone(scene: Scene, broken: object, batch: str) -> None:
    model = broken(scene.folder / "broken")  # type: ignore[operator]
    bright = scene.run("--custom-model", model, "--batch-size", batch)
    assert bright.status == 0, bright.said
    assert "12 of 12 pictures" in bright.out
    captions = content(scene.output)["train/metadata.jsonl"]
    scene.clear()
    dark(scene, "03-dark.png", "zz-dark.png")
    done = scene.run("--custom-model", model, "--batch-size", batch)
    tally("faults injected", 2)
    assert done.status == 0, done.said
    assert "12 of 14 pictures" in done.out
    assert "Failed: 03-dark.png: " in done.out
    assert content(scene.output)["train/metadata.jsonl"] == captions
    again = scene.run("--custom-model", model, "--batch-size", batch)
    assert again.status == 0, again.said
    assert "12 from stored scores" in again.out
    tally("losses", 0)


def test_a_model_that_fails_for_every_picture_fails_the_job(scene: Scene) -> None:
    dark(scene, *(path.relative_to(scene.source).as_posix() for path in scene.source.rglob("*.png")))
    failed = scene.run("--custom-model", nan_for_dark_pictures(scene.folder / "broken"))
    tally("faults injected")
    assert failed.status == 1, failed.said
    assert "none of 12 pictures could be captioned" in failed.err
    assert list(scene.output.parent.iterdir()) == []


#: onnxruntime's session, which runs out of memory for batches above a size: Python, run in the process beforehand.
OUT_OF_MEMORY = """
import onnxruntime
real = onnxruntime.InferenceSession
class Session:
    def __init__(self, *words, **more):
        {opening}
        self._real = real(*words, **more)
    def run(self, names, feed, options=None):
        if len(next(iter(feed.values()))) > {largest}:
            raise {error}
        return self._real.run(names, feed, options)
    def __getattr__(self, name):
        return getattr(self._real, name)
onnxruntime.InferenceSession = Session
"""
ARENA = "RuntimeError('Failed to allocate memory for requested buffer of size 1234')"


@pytest.mark.parametrize("error", [ARENA, "MemoryError()"])
def test_too_little_memory_for_a_batch_makes_smaller_ones(scene: Scene, error: str) -> None:
    setup = OUT_OF_MEMORY.format(opening="pass", largest=1, error=error)
    done = scene.run("--batch-size", "8", setup=setup)
    tally("faults injected")
    assert done.status == 0, done.said
    assert "Not enough memory on cpu for " in done.out
    assert " pictures at once: going on with " in done.out
    assert content(scene.output) == scene.expected


def test_too_little_memory_for_one_picture_fails_its_row(scene: Scene) -> None:
    failed = scene.run(setup=OUT_OF_MEMORY.format(opening="pass", largest=0, error=ARENA))
    tally("faults injected")
    assert failed.status == 1, failed.said
    assert "not enough memory on cpu" in failed.err
    scene.check_nothing_lost()
    scene.check_again()


@pytest.mark.parametrize("error", ["MemoryError()", ARENA])
def test_too_little_memory_for_the_session_is_said(scene: Scene, error: str) -> None:
    failed = scene.run(setup=OUT_OF_MEMORY.format(opening=f"raise {error}", largest=0, error=error))
    tally("faults injected")
    assert failed.status == 1, failed.said
    assert "Traceback" not in failed.said, failed.said
    scene.check_nothing_lost()
    scene.check_again()


def test_the_hub_is_gone(scene: Scene) -> None:
    """The message says what to do, and nothing is left; the hub is a port at which nobody answers."""
    setup = "import os; os.environ.update(HF_HUB_OFFLINE='0', HF_ENDPOINT='http://127.0.0.1:9')"
    setup += f"; os.environ['HF_HOME'] = {str(scene.folder / 'hub')!r}"
    failed = scene.run("--custom-model", "SmilingWolf/wd-vit-tagger-v3", setup=setup)
    tally("faults injected")
    assert failed.status == 1, failed.said
    assert "Traceback" not in failed.said, failed.said
    assert "Without the hub" in failed.err
    scene.check_nothing_lost()
    scene.check_again()


NO_NETWORK = """
import sys
def hook(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind", "subprocess.Popen", "os.system", "os.exec"):
        sys.stderr.write(f"FORBIDDEN {event} {arguments}")
        raise RuntimeError(event)
sys.addaudithook(hook)
"""


@pytest.mark.parametrize("model", ["builtin/colours", None])
def test_a_local_job_asks_nobody_and_starts_nothing(scene: Scene, model: str | None) -> None:
    done = scene.run("--custom-model", model or scene.model, setup=NO_NETWORK)
    assert done.status == 0, done.said
    assert "FORBIDDEN" not in done.said


# ── Models that want more than they may have ────────────────────────────────────────────────────────────────────────


def refused(scene: Scene, model: Path) -> Outcome:
    failed = scene.run("--custom-model", model)
    tally("faults injected")
    assert failed.status == 1, failed.said
    assert "Traceback" not in failed.said, failed.said
    assert not scene.output.exists()
    scene.check_nothing_lost()
    return failed


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/passwd", "sub/../../secret.bin", "link.bin"])
def test_weights_outside_the_models_folder_are_refused(scene: Scene, location: str) -> None:
    (scene.folder / "secret.bin").write_bytes(bytes(64))
    folder = nan_for_dark_pictures(scene.folder / "broken")
    (folder / "link.bin").symlink_to("../secret.bin")
    model = onnx.load(str(folder / "model.onnx"))
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "ones")
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    entry = weight.external_data.add()
    entry.key, entry.value = "location", location
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    assert "outside" in refused(scene, folder).err


def test_operators_that_are_not_onnx_are_refused(scene: Scene) -> None:
    nodes = [MEAN, helper.make_node("RunShell", ["mean"], ["value"], domain="com.evil"), *ROWS]
    folder = tagger(scene.folder / "broken", nodes, ROW_WEIGHTS, domains=("com.evil",))
    assert "RunShell" in refused(scene, folder).err


def fills_the_memory(folder: Path, shape_from: str) -> Path:
    """A tensor of 6 GiB, for which a graph of some bytes can ask: of a constant shape, a computed one, or doubled."""
    count = 6 << 28
    nodes = [MEAN, helper.make_node("ConstantOfShape", ["shape"], ["big"])]
    weights = [constant("shape", [count], np.int64)]
    if shape_from == "input":
        nodes = [
            MEAN,
            helper.make_node("Shape", ["mean"], ["pictures"]),
            helper.make_node("Mul", ["pictures", "count"], ["shape"]),
            nodes[1],
        ]
        weights = [constant("count", [count], np.int64)]
    if shape_from == "loop":
        body = helper.make_graph(
            [
                helper.make_node("Identity", ["before"], ["after"]),
                helper.make_node("Concat", ["x", "x"], ["y"], axis=0),
            ],
            "body",
            [
                helper.make_tensor_value_info("step", TensorProto.INT64, []),
                helper.make_tensor_value_info("before", TensorProto.BOOL, []),
                helper.make_tensor_value_info("x", TensorProto.FLOAT, None),
            ],
            [
                helper.make_tensor_value_info("after", TensorProto.BOOL, []),
                helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
            ],
        )
        nodes = [MEAN, helper.make_node("Loop", ["times", "go", "mean"], ["big"], body=body)]
        weights = [constant("times", 1 << 40, np.int64), constant("go", True, np.bool_)]
    nodes.append(helper.make_node("ReduceMax", ["big"], ["most"], keepdims=0))
    nodes.append(helper.make_node("Add", ["mean", "most"], ["value"]))
    return tagger(folder, [*nodes, *ROWS], [*ROW_WEIGHTS, *weights])


@pytest.mark.parametrize("shape_from", ["constant", "input", "loop"])
def test_a_model_that_fills_the_memory_fails(scene: Scene, shape_from: str) -> None:
    failed = refused(scene, fills_the_memory(scene.folder / "broken", shape_from))
    assert "not enough memory" in failed.err


# ── Stop ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_stop_is_obeyed_in_a_slow_batch(tmp_path: Path, scene: Scene) -> None:
    """The product promises two seconds; a machine that runs other tests beside gets five."""
    model = slow_model(tmp_path / "slow")
    begun: list[float] = []
    lines: list[str] = []

    def stops(_: Progress) -> bool:
        if not begun and any(line.startswith("Model: ") for line in lines):
            begun.append(time.monotonic())
        return bool(begun) and time.monotonic() - begun[0] > 0.5

    values = {"custom_model": str(model), "cache": False, "batch_size": 512}
    host = StoppingHost(scene.source, values, tmp_path / "sets" / "slow", stops=stops, say=lines.append)
    with pytest.raises(JobStoppedError):
        run_job(host)
    waited = time.monotonic() - begun[0] - 0.5
    print(f"stopped {waited:.2f} s after the wish")  # noqa: T201
    tally("faults injected")
    assert waited < 5
    assert not any((tmp_path / "sets").iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_line_stops_in_a_slow_batch(scene: Scene, number: signal.Signals) -> None:
    """Exit status 130 and not a crash, though threads are still in the model when the process ends."""
    model = slow_model(scene.folder / "slow")
    stopped = scene.run("--custom-model", model, "--batch-size", "512", send=number, after=1.5)
    tally("faults injected")
    assert stopped.status == 130, stopped.said
    assert stopped.err == "wd14-captioner: stopped; no dataset was written, and stored scores are kept\n"
    assert stopped.seconds < 1.5 + 5
    assert list(scene.output.parent.iterdir()) == []
    scene.check_nothing_lost()


def test_the_config_of_a_stopped_job_runs_again(scene: Scene) -> None:
    assert CaptionConfig.from_values({"custom_model": str(scene.model)}).model == str(scene.model)
    scene.run(send=signal.SIGTERM, after=0.02)
    scene.check_again()
    lines = (scene.output / ".wd14" / "provenance.json").read_text("utf-8")
    assert json.loads(lines)["parameters"]["generation_model"] == str(scene.model)
