from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support.onnx_models import (
    Weights,
    expected,
    masked_folder,
    random_weights,
    save_model,
    wd14_folder,
    write_csv,
)
from wd14 import Tagger
from wd14.errors import (
    ConfigError,
    JobStoppedError,
    ModelContractError,
    ScoringError,
)
from wd14.model.preprocess import values
from wd14.stop import StopToken
from wd14.types import FloatArray

SIZE = 16


def pictures(count: int, layout: str = "NHWC", scale: float = 255.0, low: float = 0.0, seed: int = 1) -> FloatArray:
    shape = (count, SIZE, SIZE, 3) if layout == "NHWC" else (count, 3, SIZE, SIZE)
    rng = np.random.default_rng(seed)
    levels = rng.uniform(low, scale, size=(count, 1, 1, 1))
    return np.asarray(rng.uniform(0, 1, size=shape) * levels, dtype=np.float32)


def means(batch: FloatArray, layout: str = "NHWC") -> FloatArray:
    return np.asarray(batch.mean(axis=(1, 2) if layout == "NHWC" else (2, 3), dtype=np.float64), dtype=np.float32)


@pytest.fixture
def wd14(tmp_path: Path) -> Callable[..., tuple[Tagger, Weights]]:
    def make(**options: Any) -> tuple[Tagger, Weights]:
        weights = wd14_folder(tmp_path / "model", size=SIZE, **options)
        return Tagger.load(tmp_path / "model", device="cpu"), weights

    return make


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 9])
@pytest.mark.parametrize("fixed", [None, "N", 1, 4])
def test_every_picture_gets_its_scores_whatever_the_batch(
    wd14: Callable[..., tuple[Tagger, Weights]], fixed: int | str | None, count: int
) -> None:
    tagger, weights = wd14(batch=fixed)
    assert tagger.fixed_batch == (fixed if isinstance(fixed, int) else None)
    batch = pictures(count)
    scores = tagger.run(batch)
    assert scores.dtype == np.float32
    assert scores.shape == (count, 12)
    np.testing.assert_allclose(scores, expected(means(batch), weights), atol=1e-5)


def test_a_model_folder_says_what_it_is(wd14: Callable[..., tuple[Tagger, Weights]]) -> None:
    tagger, _ = wd14()
    assert tagger.device == "cpu"
    assert (tagger.spec.size, tagger.spec.layout, tagger.spec.channels) == (SIZE, "NHWC", "BGR")
    assert tagger.labels.categories[:5] == ("rating",) * 4 + ("general",)
    assert tagger.preferred_batch == 1


def test_logits_become_probabilities_and_outputs_without_a_tag_stay_zero(tmp_path: Path) -> None:
    weights = random_weights(6)
    save_model(tmp_path / "model.onnx", weights, layout="NCHW", sigmoid=False, size=SIZE)
    mapping = {str(index): {"tag": f"t{index}", "category": "General"} for index in range(6) if index != 2}
    (tmp_path / "tag_mapping.json").write_text(json.dumps(mapping))
    tagger = Tagger.load(tmp_path)
    assert (tagger.spec.layout, tagger.spec.channels, tagger.spec.value_range) == ("NCHW", "BGR", "-1..1")
    batch = pictures(3, "NCHW", scale=1, low=-1)
    wanted = expected(means(batch, "NCHW"), weights)
    wanted[:, 2] = 0
    np.testing.assert_allclose(tagger.run(batch), wanted, atol=1e-5)


def test_large_logits_saturate_without_a_warning(tmp_path: Path) -> None:
    weights = (np.full((3, 2), 1000, np.float32) * np.array([1, -1], np.float32), np.zeros(2, np.float32))
    save_model(tmp_path / "model.onnx", weights, layout="NCHW", sigmoid=False, size=SIZE)
    write_csv(tmp_path / "selected_tags.csv", [0, 0])
    scores = Tagger.load(tmp_path).run(np.ones((1, 3, SIZE, SIZE), np.float32))
    assert scores.tolist() == [[1.0, 0.0]]


def test_of_three_outputs_the_prediction_counts(tmp_path: Path) -> None:
    weights = random_weights(5)
    save_model(tmp_path / "model.onnx", weights, layout="NCHW", three_outputs=True, size=SIZE)
    write_csv(tmp_path / "selected_tags.csv", [0, 0, 0, 4, 4], extra=",ips")
    tagger = Tagger.load(tmp_path)
    assert "rating" not in tagger.labels.categories
    assert (tagger.spec.channels, tagger.spec.fit) == ("RGB", "squash")
    batch = pictures(2, "NCHW", scale=1, low=-1)
    np.testing.assert_allclose(tagger.run(batch), expected(means(batch, "NCHW"), weights), atol=1e-5)


def test_16_bit_models_are_fed_and_read_as_such(tmp_path: Path) -> None:
    weights = random_weights(4)
    save_model(tmp_path / "model.onnx", weights, layout="NCHW", element=TensorProto.FLOAT16, size=SIZE)
    write_csv(tmp_path / "selected_tags.csv", [0] * 4)
    batch = pictures(2, "NCHW", scale=1)
    scores = Tagger.load(tmp_path).run(batch)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected(means(batch, "NCHW"), weights), atol=5e-3)


@pytest.mark.parametrize("device", ["cpu", "openvino"])
@pytest.mark.parametrize("fixed", [None, 3])
def test_padding_has_no_say_where_a_model_has_a_mask(tmp_path: Path, fixed: int | None, device: str) -> None:
    weights = masked_folder(tmp_path, size=SIZE, batch=fixed)
    tagger = Tagger.load(tmp_path, device=device)
    batch = np.random.default_rng(1).integers(0, 256, (4, 3, SIZE, SIZE), np.uint8)
    boxes = [(0, 0, SIZE, SIZE), (0, 4, SIZE, 12), (7, 0, 8, SIZE), (5, 6, 9, 7)]
    shown = [
        picture[:, top:bottom, left:right] for picture, (left, top, right, bottom) in zip(batch, boxes, strict=True)
    ]
    means = np.array([(part / 127.5 - 1).mean(axis=(1, 2)) for part in shown], np.float32)
    np.testing.assert_allclose(tagger.run(batch, boxes), expected(means, weights), atol=1e-4)
    for wrong in (None, boxes[:3]):
        with pytest.raises(ValueError, match="expected 4 boxes"):
            tagger.run(batch, wrong)


def test_a_graph_that_takes_any_size_gets_448(tmp_path: Path) -> None:
    save_model(tmp_path / "model.onnx", random_weights(3), size="side")
    write_csv(tmp_path / "selected_tags.csv", [0] * 3)
    tagger = Tagger.load(tmp_path)
    assert tagger.spec.size == 448
    assert tagger.run(np.zeros((1, 448, 448, 3), np.float32)).shape == (1, 3)


def test_a_batch_of_another_shape_is_refused(wd14: Callable[..., tuple[Tagger, Weights]]) -> None:
    tagger, _ = wd14()
    with pytest.raises(ValueError, match=r"expected a batch of shape \(n, 16, 16, 3\), got \(1, 3, 16, 16\)"):
        tagger.run(np.zeros((1, 3, SIZE, SIZE), np.float32))


def test_a_row_without_numbers_is_handed_on_beside_good_ones(wd14: Callable[..., tuple[Tagger, Weights]]) -> None:
    tagger, weights = wd14()
    batch = pictures(3)
    batch[1] = np.nan
    scores = tagger.run(batch)
    assert np.isnan(scores[1]).all()
    np.testing.assert_allclose(scores[[0, 2]], expected(means(batch[[0, 2]]), weights), atol=1e-5)


def test_scores_that_are_no_probabilities_are_refused(tmp_path: Path) -> None:
    """A graph that ends in an operator which says nothing about its results, and gives logits."""
    path = save_model(tmp_path / "model.onnx", random_weights(3, scale=1), sigmoid=False, size=SIZE)
    model = onnx.load(path)
    model.graph.node[-1].output[0] = "before"
    model.graph.node.append(helper.make_node("Mul", ["before", "two"], ["logits"]))
    model.graph.initializer.append(numpy_helper.from_array(np.array(2, np.float32), "two"))
    onnx.save(model, path)
    write_csv(tmp_path / "selected_tags.csv", [0] * 3)
    with pytest.raises(
        ModelContractError, match=r"expected probabilities from 0 to 1, the model gives values from -?\d"
    ):
        Tagger.load(tmp_path).run(pictures(2))


def test_runs_in_several_threads_do_not_mix(wd14: Callable[..., tuple[Tagger, Weights]]) -> None:
    tagger, weights = wd14(batch=1)
    batches = [pictures(3, seed=seed) for seed in range(24)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(tagger.run, batches))
    for batch, scores in zip(batches, results, strict=True):
        np.testing.assert_allclose(scores, expected(means(batch), weights), atol=1e-5)


def endless_model(folder: Path) -> None:
    """A tagger that multiplies for hours before it answers."""
    state = helper.make_tensor_value_info("state", TensorProto.FLOAT, [None, 3])
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["state", "turn"], ["next"]),
            helper.make_node("Identity", ["going"], ["still_going"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            state,
        ],
        [
            helper.make_tensor_value_info("still_going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, [None, 3]),
        ],
        [numpy_helper.from_array(np.eye(3, dtype=np.float32), "turn")],
    )
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["input"], ["mean"], axes=[1, 2], keepdims=0),
            helper.make_node("Loop", ["rounds", "go", "mean"], ["last"], body=body),
            helper.make_node("Sigmoid", ["last"], ["output"]),
        ],
        "endless",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [None, SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [None, 3])],
        [
            numpy_helper.from_array(np.array(10**12, np.int64), "rounds"),
            numpy_helper.from_array(np.array(True), "go"),
        ],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), folder / "model.onnx"
    )
    write_csv(folder / "selected_tags.csv", [0] * 3)


def test_a_stop_ends_runs_under_way_and_later_ones(tmp_path: Path) -> None:
    endless_model(tmp_path)
    stop = StopToken()
    tagger = Tagger.load(tmp_path, intra_op_threads=1, stop=stop)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            tagger.run(pictures(1))
        except JobStoppedError as error:
            errors.append(error)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    started = time.monotonic()
    stop.request()
    for thread in threads:
        thread.join(10)
    assert time.monotonic() - started < 2
    assert [type(error) for error in errors] == [JobStoppedError, JobStoppedError]
    with pytest.raises(JobStoppedError):
        tagger.run(pictures(1))


class SmallDevice:
    """A session whose device holds `room` pictures: the edge that no test machine has."""

    def __init__(self, session: Any, room: int, complaint: str) -> None:
        self.session = session
        self.room = room
        self.complaint = complaint
        self.calls: list[int] = []

    def run(self, outputs: Any, feed: dict[str, Any], options: Any) -> Any:
        count = len(next(iter(feed.values())))
        self.calls.append(count)
        if count > self.room:
            raise RuntimeError(self.complaint)
        return self.session.run(outputs, feed, options)


def on_small_device(tagger: Tagger, room: int, complaint: str) -> SmallDevice:
    session: Any = tagger._session
    session._session = device = SmallDevice(session._session, room, complaint)
    return device


COMPLAINTS = [
    "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Failed to allocate memory for requested buffer of size 9",
    "[ONNXRuntimeError] : 1 : FAIL : CUDA failure 2: out of memory ; GPU=0 ; hostname=x",
    "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0",
    "Exception during initialization: std::bad_alloc",
]


@pytest.mark.parametrize("complaint", COMPLAINTS)
def test_a_batch_that_is_too_large_goes_through_in_halves(
    wd14: Callable[..., tuple[Tagger, Weights]], complaint: str
) -> None:
    tagger, weights = wd14()
    lines: list[str] = []
    tagger._log = lines.append
    device = on_small_device(tagger, 3, complaint)
    batch = pictures(16)
    np.testing.assert_allclose(tagger.run(batch), expected(means(batch), weights), atol=1e-5)
    assert device.calls[:3] == [16, 8, 4]
    assert set(device.calls[3:]) == {2}
    device.calls.clear()
    tagger.run(batch)
    assert set(device.calls) == {2}, "the smaller batch is remembered"
    assert lines[-1] == "Not enough memory on cpu for 4 pictures at once: going on with 2"


@pytest.mark.parametrize("fixed", [None, 4])
def test_not_even_one_picture_fits(wd14: Callable[..., tuple[Tagger, Weights]], fixed: int | None) -> None:
    tagger, _ = wd14(batch=fixed)
    on_small_device(tagger, 0, COMPLAINTS[0])
    with pytest.raises(ScoringError, match="not enough memory on cpu for this picture"):
        tagger.run(pictures(3))


@pytest.mark.parametrize("fixed", [None, 1])
def test_runs_that_do_not_fit_beside_each_other_go_one_by_one(
    wd14: Callable[..., tuple[Tagger, Weights]], fixed: int | None
) -> None:
    tagger, weights = wd14(batch=fixed)
    lines: list[str] = []
    tagger._log = lines.append
    session: Any = tagger._session
    both, meanwhile = threading.Barrier(2), threading.Lock()
    real = session._session

    class Narrow:
        """Holds one run at a time."""

        def run(self, outputs: Any, feed: dict[str, Any], options: Any) -> Any:
            if not both.broken:
                both.wait(10)
            if not meanwhile.acquire(blocking=False):
                both.abort()
                raise RuntimeError(COMPLAINTS[0])
            with contextlib.suppress(threading.BrokenBarrierError):
                both.wait(10)  # the other one has failed
            result = real.run(outputs, feed, options)
            meanwhile.release()
            return result

    session._session = Narrow()
    batches = [pictures(1, seed=seed) for seed in range(6)]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(tagger.run, batches))
    for batch, scores in zip(batches, found, strict=True):
        np.testing.assert_allclose(scores, expected(means(batch), weights), atol=1e-5)
    assert lines == ["Not enough memory on cpu for several runs at once: going on one by one"]


def test_any_other_failure_of_the_model_is_the_pictures(wd14: Callable[..., tuple[Tagger, Weights]]) -> None:
    tagger, _ = wd14()
    on_small_device(tagger, 0, "Non-zero status code returned while running Conv\nstack…")
    with pytest.raises(ScoringError, match=r"the model failed: Non-zero status code returned while running Conv$"):
        tagger.run(pictures(2))


def test_a_stop_before_the_opening_opens_nothing(tmp_path: Path) -> None:
    wd14_folder(tmp_path)
    stop = StopToken()
    stop.request("enough")
    with pytest.raises(JobStoppedError, match="enough"):
        Tagger.load(tmp_path, stop=stop)


def test_watching_for_a_stop_takes_one_thread_and_none_without_a_token(tmp_path: Path) -> None:
    def watching() -> int:
        return sum(thread.name == "wd14-stop-watch" for thread in threading.enumerate())

    wd14_folder(tmp_path, size=SIZE)
    before = watching()
    Tagger.load(tmp_path).run(pictures(1))
    assert watching() == before
    stop = StopToken()
    tagger = Tagger.load(tmp_path, stop=stop)
    for _ in range(3):
        tagger.run(pictures(1))
    assert watching() == before + 1
    stop.request()
    end = time.monotonic() + 5
    while watching() > before and time.monotonic() < end:
        time.sleep(0.02)
    assert watching() == before


def test_a_damaged_graph_is_said_in_one_line(tmp_path: Path) -> None:
    """What the walk over the file cannot see: an operator that onnxruntime does not know."""
    path = save_model(tmp_path / "model.onnx", random_weights(3), size=SIZE)
    model = onnx.load(path)
    model.graph.node[0].op_type = "Unheard"
    onnx.save(model, path)
    write_csv(tmp_path / "selected_tags.csv", [0] * 3)
    with pytest.raises(ModelContractError, match=r"onnxruntime cannot read it: .*Unheard") as caught:
        Tagger.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_an_unknown_device_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Device is 'gpu'; allowed: auto, cpu, cuda"):
        Tagger.load("builtin/colours", device="gpu")


def test_importing_the_tagger_loads_nothing_heavy() -> None:
    code = (
        "import sys, wd14.model.tagger, wd14.model.files.find;"
        "print([m for m in ('onnxruntime', 'huggingface_hub', 'pandas', 'datasets', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("chosen", "used"), [(None, "1"), ("0", "0")])
def test_telemetry_of_onnxruntime_is_off_unless_the_user_chose(tmp_path: Path, chosen: str | None, used: str) -> None:
    """Off before the import: afterwards it has written to the home folder already."""
    env = {"HOME": str(tmp_path / "home"), "WD14_CACHE": str(tmp_path / "cache"), "PATH": "/usr/bin:/bin"}
    env |= {} if chosen is None else {"ORT_DISABLE_TELEMETRY": chosen}
    code = (
        "import os; from wd14 import Tagger; Tagger.load('builtin/colours'); print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    (tmp_path / "home").mkdir()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.strip() == used
    if chosen is None:
        assert list((tmp_path / "home").iterdir()) == []


@pytest.mark.parametrize("element", [TensorProto.FLOAT, TensorProto.FLOAT16])
def test_pixels_are_scored_as_their_values(tmp_path: Path, element: int) -> None:
    weights = random_weights(4)
    save_model(tmp_path / "model.onnx", weights, layout="NCHW", element=element, size=SIZE)
    write_csv(tmp_path / "selected_tags.csv", [0] * 4)
    tagger = Tagger.load(tmp_path)
    assert tagger.spec.value_range == "-1..1"
    pixels = np.random.default_rng(1).integers(0, 256, (3, 3, SIZE, SIZE), dtype=np.uint8)
    np.testing.assert_array_equal(tagger.run(pixels), tagger.run(values(pixels, tagger.spec)))
    with pytest.raises(ValueError, match="expected a batch of uint8 or float32, got float64"):
        tagger.run(pixels / 255)  # type: ignore[arg-type]
