from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from wd14.errors import ModelContractError
from wd14.input_spec import InputSpec
from wd14.model.files.interface import check_external, check_spec, guess_spec, read_interface
from wd14.model.graph.facts import Dimension, GraphFacts, TensorFacts
from wd14.types import Labels

FLOAT = "tensor(float)"
NHWC = TensorFacts("in", FLOAT, (None, 448, 448, 3))
NCHW = TensorFacts("in", FLOAT, ("N", 3, 448, 448))


def labels(count: int = 5, order: str = "model") -> Labels:
    return Labels(tuple(f"t{index}" for index in range(count)), ("general",) * count, order=order)  # type: ignore[arg-type]


def output(name: str, *shape: Dimension, kind: str = FLOAT) -> TensorFacts:
    return TensorFacts(name, kind, shape or None)


@pytest.mark.parametrize(
    ("shape", "layout", "size", "fixed"),
    [
        ((None, 448, 448, 3), "NHWC", 448, None),
        (("batch_size", 448, 448, 3), "NHWC", 448, None),
        ((1, 448, 448, 3), "NHWC", 448, 1),
        ((0, 448, 448, 3), "NHWC", 448, None),
        ((-1, 320, 320, 3), "NHWC", 320, None),
        ((None, None, None, 3), "NHWC", None, None),
        ((None, 3, 448, 448), "NCHW", 448, None),
        ((8, 3, "h", "w"), "NCHW", None, 8),
        ((None, 4096, 4096, 3), "NHWC", 4096, None),
        ((None, 3, 512, "w"), "NCHW", 512, None),
    ],
)
def test_what_an_input_says(shape: tuple[Dimension, ...], layout: str, size: int | None, fixed: int | None) -> None:
    interface = read_interface([TensorFacts("x:0", FLOAT, shape)], [output("y", None, 5)], labels(), model="m")
    assert (interface.layout, interface.size, interface.fixed_batch) == (layout, size, fixed)
    assert (interface.input_name, interface.output_name) == ("x:0", "y")


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], r"expected a model with one input, found 0 \(none\)"),
        ([NHWC, TensorFacts("mask", FLOAT, (1,))], r"found 2 \(in, mask\)"),
        ([TensorFacts("in", FLOAT, (None, 448, 448))], r"4 dimensions .* 'in' is \(\?, 448, 448\)"),
        ([TensorFacts("in", FLOAT, None)], "'in' is of unknown shape"),
        ([TensorFacts("in", FLOAT, (None, 448, 448, 1))], r"3 colour channels, .* \(\?, 448, 448, 1\)"),
        ([TensorFacts("in", FLOAT, (None, None, None, None))], "3 colour channels"),
        ([TensorFacts("in", FLOAT, (None, 448, 224, 3))], r"expected a square picture .* \(\?, 448, 224, 3\)"),
        ([TensorFacts("in", FLOAT, (None, 4097, 4097, 3))], "at most 4096 pixels a side"),
        ([TensorFacts("in", "tensor(uint8)", (None, 448, 448, 3))], r"type tensor\(float\) .* 'in' is tensor\(uint8\)"),
        ([TensorFacts("in", "not a tensor", None)], "'in' is not a tensor"),
    ],
)
def test_an_input_that_is_no_picture(inputs: list[TensorFacts], message: str) -> None:
    with pytest.raises(ModelContractError, match=message) as caught:
        read_interface(inputs, [output("y", None, 5)], labels(), model="folder/model.onnx")
    assert str(caught.value).startswith("folder/model.onnx: ")


PICTURES = TensorFacts("pixels", FLOAT, ("N", 3, 448, 448))
MASK = TensorFacts("mask", "tensor(bool)", ("N", 448, 448))


@pytest.mark.parametrize(("inputs", "input_name"), [((PICTURES, MASK), "pixels"), ((MASK, PICTURES), None)])
def test_inputs_are_told_by_name(inputs: tuple[TensorFacts, ...], input_name: str | None) -> None:
    interface = read_interface(
        inputs, [output("y", None, 5)], labels(), model="m", input_name=input_name, mask_name="mask"
    )
    assert (interface.input_name, interface.mask_name, interface.mask_type) == ("pixels", "mask", "tensor(bool)")


@pytest.mark.parametrize(
    ("inputs", "input_name", "mask_name", "message"),
    [
        ([PICTURES], "pictures", None, "expected an input named 'pictures', the graph has pixels"),
        ([PICTURES], None, "mask", "expected an input named 'mask', the graph has pixels"),
        ([PICTURES, MASK], "pixels", None, "the graph also wants mask"),
        ([PICTURES, MASK, TensorFacts("sizes", FLOAT, (None, 2))], "pixels", "mask", "the graph also wants sizes"),
        ([PICTURES, replace(MASK, type="tensor(string)")], None, "mask", "'mask' is tensor.string"),
        ([PICTURES, replace(MASK, shape=("N", 1, 448, 448))], None, "mask", r"3 dimensions .* \(N, 1, 448, 448\)"),
        (
            [PICTURES, replace(MASK, shape=("N", 28, 28))],
            None,
            "mask",
            r"as large as the picture, 448 .* \(N, 28,",
        ),
        ([PICTURES], None, "pixels", "expected another input for a mask than for pictures, .* input.mask of"),
        ([PICTURES, MASK], "mask", "mask", "expected another input for a mask than for pictures"),
        (
            [replace(PICTURES, shape=(2, 3, 448, 448)), replace(MASK, shape=(3, 448, 448))],
            None,
            "mask",
            r"one and the same number of pictures; 'pixels' is \(2, .* 'mask' is \(3,",
        ),
        ([PICTURES, MASK], None, None, "found 2 .pixels, mask.; a tagger.json beside it can name"),
    ],
)
def test_inputs_that_are_not_those_described(
    inputs: list[TensorFacts], input_name: str | None, mask_name: str | None, message: str
) -> None:
    with pytest.raises(ModelContractError, match=message):
        read_interface(inputs, [output("y", None, 5)], labels(), model="m", input_name=input_name, mask_name=mask_name)


def test_a_mask_for_one_picture_makes_batches_of_one() -> None:
    inputs = [PICTURES, replace(MASK, shape=(1, 448, 448))]
    assert read_interface(inputs, [output("y", None, 5)], labels(), model="m", mask_name="mask").fixed_batch == 1


def test_a_width_that_does_not_match_names_both_numbers() -> None:
    with pytest.raises(
        ModelContractError, match=r"the label file has 10861 tags, but the model's output is y \(\?, 9083\)"
    ):
        read_interface([NHWC], [output("y", None, 9083)], labels(10861), model="m")


@pytest.mark.parametrize(
    ("outputs", "wanted", "chosen"),
    [
        ([output("y", None, 5)], None, "y"),
        ([output("embedding", None, 9), output("logits", None, 5), output("prediction", None, 5)], None, "prediction"),
        ([output("embedding", None, 9), output("a", None, 5), output("b", None, 5)], None, "a"),
        ([output("logits", None, 5), output("prediction", None, 5)], "logits", "logits"),
        ([output("map", None, 5, 14, 14), output("y", None, 5)], None, "y"),
        ([output("y")], None, "y"),
        ([output("y", "N", "T")], None, "y"),
        ([output("other", None, 7), output("y", "N", None)], None, "y"),
    ],
)
def test_the_output_that_holds_the_scores(outputs: list[TensorFacts], wanted: str | None, chosen: str) -> None:
    assert read_interface([NCHW], outputs, labels(), model="m", output_name=wanted).output_name == chosen


@pytest.mark.parametrize(
    ("outputs", "wanted", "message"),
    [
        ([output("y", None, 5)], "prediction", "expected an output named 'prediction', the graph has y"),
        ([output("prediction", None, 7)], "prediction", "has 5 tags, .* prediction"),
        ([output("y", None, 5, 1)], None, r"has 5 tags, .* y \(\?, 5, 1\)"),
        ([], None, "output is none"),
        ([output("y", None, 5, kind="tensor(int64)")], None, r"expected an output of type .* 'y' is tensor\(int64\)"),
    ],
)
def test_an_output_that_holds_no_scores(outputs: list[TensorFacts], wanted: str | None, message: str) -> None:
    with pytest.raises(ModelContractError, match=message):
        read_interface([NHWC], outputs, labels(), model="m", output_name=wanted)


@pytest.mark.parametrize(
    ("fact", "order", "spec"),
    [
        (NHWC, "model", InputSpec(448, "NHWC", "BGR", "0..255", "pad")),
        (NCHW, "score", InputSpec(448, "NCHW", "BGR", "-1..1", "pad")),
        (NCHW, "model", InputSpec(448, "NCHW", "RGB", "-1..1", "squash")),
        (TensorFacts("in", FLOAT, (None, None, None, 3)), "model", InputSpec(448)),
    ],
)
def test_a_model_that_nobody_described_follows_its_family(fact: TensorFacts, order: str, spec: InputSpec) -> None:
    tags = labels(order=order)
    assert guess_spec(read_interface([fact], [output("y", None, 5)], tags, model="m"), tags) == spec


def test_a_described_model_must_be_the_one_that_was_described() -> None:
    interface = read_interface([NHWC], [output("y", None, 5)], labels(), model="m")
    check_spec(interface, InputSpec(448), "m")
    with pytest.raises(ModelContractError, match="expected NCHW input, the graph wants NHWC"):
        check_spec(interface, InputSpec(448, layout="NCHW"), "m")
    with pytest.raises(ModelContractError, match="expected pictures of 512 pixels a side, the graph wants 448"):
        check_spec(interface, InputSpec(512), "m")


def facts(*locations: str) -> GraphFacts:
    return GraphFacts((), (), {}, dict.fromkeys(locations, (None,)))


def test_weights_beside_the_model_are_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "weights.bin").touch()
    (folder / "sub" / "more.bin").touch()
    check_external(folder / "model.onnx", facts("weights.bin", "sub/more.bin", "./weights.bin"))


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "sub/../../secret", "", ".", "link"])
def test_weights_outside_of_the_models_folder_are_not_opened(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").touch()
    (folder / "link").symlink_to("../secret")
    with pytest.raises(ModelContractError, match=r"outside the model's folder"):
        check_external(folder / "model.onnx", facts(location))


def test_a_place_that_is_no_text_is_another_file_for_runtimes(tmp_path: Path) -> None:
    (tmp_path / "\ufffd").touch()
    with pytest.raises(ModelContractError, match="which can be no file"):
        check_external(tmp_path / "model.onnx", facts("\ufffd"))


def test_weights_that_are_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelContractError, match=r"keeps weights in 'model.onnx.data', which is not there"):
        check_external(tmp_path / "model.onnx", facts("model.onnx.data"))


@pytest.mark.parametrize("location", ["a" * 5000, "a\0b"])
def test_places_that_can_be_no_file(tmp_path: Path, location: str) -> None:
    with pytest.raises(ModelContractError, match="can be no file"):
        check_external(tmp_path / "model.onnx", facts(location))


def test_weights_that_are_read_over_and_over_are_refused(tmp_path: Path) -> None:
    """However their file is called, and however much of it each takes."""
    (tmp_path / "w").write_bytes(bytes(100))
    check_external(tmp_path / "model.onnx", GraphFacts((), (), {}, {"w": (100, 50, 50)}))
    for external in ({"w": (100, 100, 50)}, {"w": (None,), "./w": (None,), ".//w": (None,)}):
        with pytest.raises(ModelContractError, match="over and over"):
            check_external(tmp_path / "model.onnx", GraphFacts((), (), {}, external))


def test_a_fixed_batch_that_fills_the_memory_is_refused() -> None:
    labels = Labels(("a",), ("general",))
    outputs = [TensorFacts("out", "tensor(float)", (1, 1))]
    for batch in (1 << 62, 10_000):
        inputs = [TensorFacts("in", "tensor(float)", (batch, 448, 448, 3))]
        with pytest.raises(ModelContractError, match="batches of"):
            read_interface(inputs, outputs, labels, model="m")
