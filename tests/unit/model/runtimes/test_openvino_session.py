"""Sessions of OpenVINO give what those of onnxruntime give, and refuse what has no end."""

from __future__ import annotations

import subprocess
import sys
import threading
import types
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support.onnx_models import expected, random_weights, save_model, wd14_folder, write_csv
from wd14.errors import DeviceError, JobStoppedError, ModelContractError
from wd14.model.files.find import find_model
from wd14.model.graph.rewriting import fusible
from wd14.model.runtimes import openvino_session
from wd14.model.runtimes.openvino_session import fast_on, open_openvino
from wd14.model.runtimes.session import Opening
from wd14.model.runtimes.stop_watch import StopWatch
from wd14.model.tagger import Tagger
from wd14.model.trial.candidates import Candidate
from wd14.stop import StopToken
from wd14.types import FloatArray

SIZE = 16


def opened(folder: Path, opening: Opening | None = None) -> Tagger:
    files = find_model(folder)
    return Tagger.of_session(files, open_openvino(files, Candidate("openvino"), opening or Opening()))


def pictures(count: int, layout: str = "NHWC", seed: int = 1) -> FloatArray:
    shape = (count, SIZE, SIZE, 3) if layout == "NHWC" else (count, 3, SIZE, SIZE)
    return np.asarray(np.random.default_rng(seed).uniform(0, 1, shape), np.float32)


def edited(folder: Path, **changes: Any) -> Path:
    """A tagger whose graph ends in other nodes. They read `logits`, and give what the graph gives."""
    path = save_model(folder / "model.onnx", random_weights(3), layout="NCHW", size=SIZE, sigmoid=False)
    write_csv(folder / "selected_tags.csv", [0] * 3)
    model = onnx.load(path)
    model.graph.output[0].name = "output"
    model.graph.node.extend(changes["nodes"])
    model.graph.initializer.extend(numpy_helper.from_array(*pair) for pair in changes.get("weights", ()))
    onnx.save(model, path)
    return folder


@pytest.mark.parametrize("fixed", [None, 1, 4])
def test_every_picture_gets_its_scores_whatever_the_batch(tmp_path: Path, fixed: int | None) -> None:
    weights = wd14_folder(tmp_path, size=SIZE, batch=fixed)
    batch = pictures(5) * 255
    tagger = opened(tmp_path)
    wanted = expected(batch.mean(axis=(1, 2)), weights)
    np.testing.assert_allclose(tagger.run(batch), wanted, atol=1e-5)
    assert (tagger.device, tagger.precision, tagger.preferred_batch) == ("openvino", "exact", fixed or 1)


def test_of_three_outputs_the_prediction_counts(tmp_path: Path) -> None:
    weights = random_weights(5)
    save_model(tmp_path / "model.onnx", weights, layout="NCHW", three_outputs=True, size=SIZE)
    write_csv(tmp_path / "selected_tags.csv", [0] * 5)
    batch = pictures(2, "NCHW")
    np.testing.assert_allclose(opened(tmp_path).run(batch), expected(batch.mean(axis=(2, 3)), weights), atol=1e-5)


def test_an_output_that_only_passes_another_on_is_found(tmp_path: Path) -> None:
    passing = [helper.make_node("Sigmoid", ["logits"], ["same"]), helper.make_node("Identity", ["same"], ["output"])]
    assert opened(edited(tmp_path, nodes=passing)).run(pictures(1, "NCHW")).shape == (1, 3)


def test_16_bit_models_are_fed_and_read_as_such(tmp_path: Path) -> None:
    weights = random_weights(4)
    save_model(tmp_path / "model.onnx", weights, layout="NCHW", element=TensorProto.FLOAT16, size=SIZE)
    write_csv(tmp_path / "selected_tags.csv", [0] * 4)
    batch = pictures(2, "NCHW")
    np.testing.assert_allclose(opened(tmp_path).run(batch), expected(batch.mean(axis=(2, 3)), weights), atol=5e-3)


def test_a_graph_that_takes_any_size_gets_448(tmp_path: Path) -> None:
    save_model(tmp_path / "model.onnx", random_weights(3), size="side")
    write_csv(tmp_path / "selected_tags.csv", [0] * 3)
    assert opened(tmp_path).run(np.zeros((1, 448, 448, 3), np.float32)).shape == (1, 3)


@pytest.mark.parametrize("apart", [True, False], ids=["in a file of their own", "in the model's file"])
def test_large_weights_stay_where_they_are(tmp_path: Path, apart: bool) -> None:
    weights = random_weights(400, scale=1 / 128)
    path = save_model(tmp_path / "model.onnx", weights, size=SIZE)
    if apart:
        onnx.save(onnx.load(path), path, save_as_external_data=True, location="weights", size_threshold=0)
    write_csv(tmp_path / "selected_tags.csv", [0] * 400)
    tagger = opened(tmp_path)
    session: Any = tagger._session
    assert set(session._weights.arrays) == {"weights"}
    batch = pictures(2) * 255
    path.with_name("weights" if apart else path.name).write_bytes(b"")  # by now nothing of it is needed
    np.testing.assert_allclose(tagger.run(batch), expected(batch.mean(axis=(1, 2)), weights), atol=1e-5)


def test_a_graph_that_cannot_be_edited_is_read_from_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ModelContractError("too odd")

    weights = wd14_folder(tmp_path, size=SIZE)
    monkeypatch.setattr(openvino_session, "with_weights_apart", refuse)
    batch = pictures(2)
    files = replace(find_model(tmp_path), pinned=True)
    tagger = Tagger.of_session(files, open_openvino(files, Candidate("openvino"), Opening()))
    np.testing.assert_allclose(tagger.run(batch), expected(batch.mean(axis=(1, 2)), weights), atol=1e-5)
    with pytest.raises(ModelContractError, match=r"^too odd\. Such a model runs on OpenVINO only if it is a known one"):
        opened(tmp_path)


def test_what_nobody_needs_is_not_computed_while_a_graph_is_read(tmp_path: Path) -> None:
    """Read with it, this graph takes 16 GB and minutes."""
    nodes = [
        helper.make_node("Sigmoid", ["logits"], ["output"]),
        helper.make_node(
            "ConstantOfShape", ["sides"], ["large"], value=helper.make_tensor("v", TensorProto.INT64, [1], [3])
        ),
        helper.make_node("ReduceMax", ["large"], ["three"], keepdims=1),
        helper.make_node("Reshape", ["logits", "three"], ["unused"]),
    ]
    weights = [(np.array([10**9], np.int64), "sides")]
    assert opened(edited(tmp_path, nodes=nodes, weights=weights)).run(pictures(1, "NCHW")).shape == (1, 3)


def test_fused_operators_are_read(tmp_path: Path) -> None:
    """This GELU becomes an operator of a second domain."""
    nodes = [
        helper.make_node("Mul", ["logits", "root"], ["scaled"]),
        helper.make_node("Erf", ["scaled"], ["erf"]),
        helper.make_node("Add", ["erf", "one"], ["sum"]),
        helper.make_node("Mul", ["logits", "half"], ["halved"]),
        helper.make_node("Mul", ["halved", "sum"], ["gelu"]),
        helper.make_node("Sigmoid", ["gelu"], ["output"]),
    ]
    values = {"root": 0.5**0.5, "one": 1, "half": 0.5}
    edited(tmp_path, nodes=nodes, weights=[(np.array(value, np.float32), name) for name, value in values.items()])
    files, batch = find_model(tmp_path), pictures(2, "NCHW")
    assert fusible(files)
    tagger = Tagger.of_session(files, open_openvino(files, Candidate("openvino", fused=True), Opening()))
    np.testing.assert_allclose(tagger.run(batch), opened(tmp_path).run(batch), atol=1e-6)


def test_runs_in_several_threads_do_not_mix(tmp_path: Path) -> None:
    weights = wd14_folder(tmp_path, size=SIZE)
    tagger = opened(tmp_path, Opening(1, 4))
    batches = [pictures(3, seed=seed) * 255 for seed in range(24)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(tagger.run, batches))
    for batch, scores in zip(batches, results, strict=True):
        np.testing.assert_allclose(scores, expected(batch.mean(axis=(1, 2)), weights), atol=1e-5)


def test_a_result_stays_what_it_was(tmp_path: Path) -> None:
    wd14_folder(tmp_path, size=SIZE)
    session = opened(tmp_path)._session
    feeds = [{session.inputs[0].name: pictures(1, seed=seed) * 255} for seed in range(2)]
    first = session.run(feeds[0], session.outputs[0].name)
    before = first.copy()
    session.run(feeds[1], session.outputs[0].name)
    np.testing.assert_array_equal(first, before)


@pytest.mark.skipif(not fast_on("openvino"), reason="this processor has no bfloat16")
def test_fast_is_near(tmp_path: Path) -> None:
    wd14_folder(tmp_path, size=SIZE)
    files, batch = find_model(tmp_path), pictures(8) * 255
    session = open_openvino(files, Candidate("openvino", "fast"), Opening())
    assert session.precision == "fast"
    difference = np.abs(Tagger.of_session(files, session).run(batch) - opened(tmp_path).run(batch)).max()
    assert 0 < difference < 0.05


def test_a_stop_ends_a_run_under_way(tmp_path: Path) -> None:
    """Some hundred products of large matrices: seconds of work."""
    chain = [helper.make_node("MatMul", ["large0", "large"], ["large1"])]
    chain += [helper.make_node("MatMul", [f"large{n}", "large"], [f"large{n + 1}"]) for n in range(1, 300)]
    nodes = [
        helper.make_node("MatMul", ["logits", "wide"], ["row"]),
        helper.make_node("Add", ["row", "large"], ["large0"]),
        *chain,
        helper.make_node("ReduceMean", ["large300"], ["mean"], keepdims=0),
        helper.make_node("Add", ["logits", "mean"], ["sum"]),
        helper.make_node("Sigmoid", ["sum"], ["output"]),
    ]
    large = (np.eye(1024, dtype=np.float32), "large"), (np.zeros((3, 1024), np.float32), "wide")
    stop = StopToken()
    opening = Opening(1, stop=stop, stop_watch=StopWatch(stop))
    tagger = opened(edited(tmp_path, nodes=nodes, weights=large), opening)
    threading.Timer(0.3, stop.request).start()
    with pytest.raises(JobStoppedError):
        tagger.run(pictures(1, "NCHW"))
    with pytest.raises(JobStoppedError):
        tagger.run(pictures(1, "NCHW"))


def endless() -> onnx.NodeProto:
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["going"], ["still"]), helper.make_node("Neg", ["state"], ["next"])],
        "body",
        [
            info("round", TensorProto.INT64, []),
            info("going", TensorProto.BOOL, []),
            info("state", TensorProto.FLOAT, None),
        ],
        [info("still", TensorProto.BOOL, []), info("next", TensorProto.FLOAT, None)],
    )
    return helper.make_node("Loop", ["rounds", "go", "logits"], ["output"], body=body)


@pytest.mark.parametrize(
    ("nodes", "weights", "says"),
    [
        (
            [endless()],
            [(np.array(10**12, np.int64), "rounds"), (np.array(True), "go")],
            r"graphs within its graph.* runs on OpenVINO only if it is a known one; set the device to cpu",
        ),
        (
            [
                helper.make_node("NonZero", ["logits"], ["places"]),
                helper.make_node("Cast", ["places"], ["output"], to=1),
            ],
            [],
            "model.onnx decides while it runs how large its tensors are",
        ),
        (
            [
                helper.make_node("Expand", ["logits", "sides"], ["wide"]),
                helper.make_node("ReduceMax", ["wide"], ["output"], axes=[0], keepdims=1),
            ],
            [(np.array([3 << 30, 3], np.int64), "sides")],
            r"model.onnx needs 38\.7 GB for a picture; .* may take 4\.3 GB on OpenVINO; set the device to cpu",
        ),
        ([helper.make_node("Unheard", ["logits"], ["output"])], [], "OpenVINO cannot run it: .*Unheard"),
    ],
    ids=["loop", "sizes from the picture", "memory", "unknown operator"],
)
def test_what_openvino_could_not_bound_is_refused(tmp_path: Path, nodes: Any, weights: Any, says: str) -> None:
    with pytest.raises(ModelContractError, match=says) as caught:
        opened(edited(tmp_path, nodes=nodes, weights=weights))
    assert "\n" not in str(caught.value)


def test_a_device_that_is_not_there_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wd14_folder(tmp_path, size=SIZE)
    with pytest.raises(
        DeviceError, match=r"device openvino-gpu was asked for, but OpenVINO finds no such device .*CPU"
    ):
        open_openvino(find_model(tmp_path), Candidate("openvino-gpu"), Opening())
    assert not fast_on("openvino-gpu")
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(DeviceError, match=r"cannot be loaded .*pip install openvino\. Or set the device to auto"):
        opened(tmp_path)
    assert not fast_on("openvino")
    monkeypatch.setitem(sys.modules, "openvino", types.ModuleType("openvino"))  # half removed
    with pytest.raises(DeviceError, match=r"cannot be loaded .*has no attribute"):
        opened(tmp_path)
    assert not fast_on("openvino")


def in_a_process(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs code that is given a model, with an empty home."""
    wd14_folder(folder / "model", size=SIZE)
    (folder / "home").mkdir()
    return subprocess.run(
        [sys.executable, "-c", code, folder / "model"],
        env={"HOME": str(folder / "home"), "PYTHONPATH": ":".join(sys.path), "WD14_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_tells_nobody_that_it_runs_and_says_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from wd14.model.files.find import find_model;"
        " from wd14.model.runtimes.session import Opening;"
        " from wd14.model.runtimes.openvino_session import open_openvino;"
        " from wd14.model.trial.candidates import Candidate;"
        " open_openvino(find_model(Path(sys.argv[1])), Candidate('openvino'), Opening());"
        " sys.exit('openvino_telemetry' in sys.modules)"
    )
    ran = in_a_process(code, tmp_path)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert list((tmp_path / "home").iterdir()) == []


def test_a_signal_after_the_last_session_was_closed_elsewhere_is_handled(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, threading; from wd14 import Tagger;"
        " kept = [Tagger.load(sys.argv[1], device='openvino')];"
        " closing = threading.Thread(target=kept.clear); closing.start(); closing.join();"
        " signal.signal(signal.SIGINT, lambda *_: print('handled')); os.kill(os.getpid(), signal.SIGINT)"
    )
    ran = in_a_process(code, tmp_path)
    assert (ran.returncode, ran.stdout) == (0, "handled\n")
