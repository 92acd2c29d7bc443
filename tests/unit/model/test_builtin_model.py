"""The offline model: its interface, its build, and what it says about pictures that a person can judge."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps
from skimage import data
from sklearn.datasets import load_sample_image

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "wd14" / "model" / "builtin"
SIDE = 448
THRESHOLD = 0.35

Score = Callable[[Image.Image], Mapping[str, float]]


def to_input(picture: Image.Image) -> NDArray[np.float32]:
    """Pads with white to a square, resizes, and turns to BGR: what every WD14 tagger is given."""
    side = max(picture.size)
    square = Image.new("RGB", (side, side), "white")
    square.paste(picture.convert("RGB"), ((side - picture.width) // 2, (side - picture.height) // 2))
    resized = square.resize((SIDE, SIDE), Image.Resampling.BOX if side >= SIDE else Image.Resampling.LANCZOS)
    return np.ascontiguousarray(np.asarray(resized, dtype=np.float32)[:, :, ::-1])


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((FOLDER / "selected_tags.csv").read_text(encoding="utf-8"))))


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        str(FOLDER / "model.onnx"), sess_options=options, providers=["CPUExecutionProvider"]
    )


@pytest.fixture(scope="module")
def score(session: onnxruntime.InferenceSession, rows: list[dict[str, str]]) -> Score:
    def run(picture: Image.Image) -> Mapping[str, float]:
        values = session.run(None, {"input": to_input(picture)[None]})[0][0]
        return {row["name"]: float(value) for row, value in zip(rows, values, strict=True)}

    return run


def photo(name: str) -> Image.Image:
    """A photograph that scikit-image or scikit-learn brings along."""
    if name in {"china", "flower"}:
        return Image.fromarray(load_sample_image(f"{name}.jpg"))
    return Image.fromarray(getattr(data, name)()).convert("RGB")


def disc(background: str, colour: str, size: tuple[int, int] = (512, 512)) -> Image.Image:
    picture = Image.new("RGB", size, background)
    x, y = size[0] // 2, size[1] // 2
    ImageDraw.Draw(picture).ellipse([x - 120, y - 120, x + 120, y + 120], fill=colour)
    return picture


def gradient(top: tuple[int, int, int], bottom: tuple[int, int, int]) -> Image.Image:
    weight = np.linspace(0, 1, 600)[:, None, None]
    values = np.array(top) * (1 - weight) + np.array(bottom) * weight
    return Image.fromarray(np.repeat(values, 700, axis=1).astype(np.uint8))


def standing_figure() -> Image.Image:
    """Drawn on white in a portrait format, feet on the lower edge."""
    picture = Image.new("RGB", (600, 900), "white")
    draw = ImageDraw.Draw(picture)
    draw.ellipse([200, 80, 400, 300], fill="#f0d0b0")
    draw.polygon([(150, 899), (250, 290), (350, 290), (450, 899)], fill="#3050a0")
    return picture


def with_a_spot_of_colour() -> Image.Image:
    picture = photo("astronaut").convert("L").convert("RGB")
    ImageDraw.Draw(picture).ellipse([180, 250, 280, 350], fill="crimson")
    return picture


# picture -> tags that a person would give it, tags that would be wrong
PICTURES: dict[str, tuple[Callable[[], Image.Image], str, str]] = {
    "red disc on white": (
        lambda: disc("white", "red"),
        "simple_background white_background red_theme",
        "greyscale blue_theme grey_background blurry dark border",
    ),
    "red disc on white, landscape": (
        lambda: disc("white", "red", (900, 500)),
        "simple_background white_background red_theme",
        "white_border letterboxed",
    ),
    "yellow disc on blue": (lambda: disc("#4060c0", "yellow"), "simple_background blue_background", "white_background"),
    "navy disc on pink, landscape": (
        lambda: disc("pink", "navy", (900, 400)),
        "simple_background pink_background",
        "white_background border",
    ),
    "grey disc on black, portrait": (
        lambda: disc("black", "grey", (500, 800)),
        "simple_background black_background greyscale monochrome",
        "white_background pillarboxed black_border",
    ),
    "figure on white": (standing_figure, "simple_background white_background blue_theme", "white_border"),
    "dusk": (lambda: gradient((250, 240, 200), (60, 90, 200)), "gradient_background simple_background", "blurry"),
    "cat": (lambda: photo("chelsea"), "brown_theme", "white_background simple_background greyscale blue_theme"),
    "cat in grey": (
        lambda: photo("chelsea").convert("L"),
        "greyscale monochrome",
        "brown_theme sepia white_background",
    ),
    "coffee": (lambda: photo("coffee"), "brown_theme", "white_background simple_background monochrome"),
    "rocket at dusk": (lambda: photo("rocket"), "blue_theme dark", "white_background brown_theme greyscale"),
    "astronaut": (lambda: photo("astronaut"), "orange_theme", "simple_background dark blurry monochrome"),
    "moon": (lambda: photo("moon"), "greyscale simple_background grey_background", "black_background colorful"),
    "bricks": (lambda: photo("brick"), "greyscale grey_theme", "simple_background"),
    "dahlia": (lambda: photo("flower"), "blurry_background", "blurry simple_background white_background"),
    "colour wheel": (lambda: photo("colorwheel"), "colorful", "monochrome muted_color limited_palette"),
    "pagoda": (lambda: photo("china"), "", "white_background simple_background white_border letterboxed dark"),
    "pagoda in sepia": (
        lambda: ImageOps.colorize(photo("china").convert("L"), "#201008", "#f8e8c8"),
        "sepia monochrome",
        "greyscale colorful",
    ),
    "pagoda at night": (lambda: ImageEnhance.Brightness(photo("china")).enhance(0.25), "dark", "pale_color"),
    "pagoda out of focus": (lambda: photo("china").filter(ImageFilter.GaussianBlur(8)), "blurry", "blurry_background"),
    "pagoda, washed out": (
        lambda: Image.blend(photo("china"), Image.new("RGB", (640, 427), "white"), 0.75),
        "pale_color",
        "dark colorful",
    ),
    "pagoda with black bars": (
        lambda: ImageOps.expand(photo("china"), (0, 70), "black"),
        "letterboxed",
        "pillarboxed border black_background",
    ),
    "astronaut with black bars": (
        lambda: ImageOps.expand(photo("astronaut"), (160, 0), "black"),
        "pillarboxed",
        "letterboxed border dark",
    ),
    "pagoda in a white frame": (
        lambda: ImageOps.expand(photo("china"), 40, "white"),
        "border white_border",
        "white_background simple_background black_border",
    ),
    "astronaut in a black frame": (
        lambda: ImageOps.expand(photo("astronaut"), 40, "black"),
        "border black_border",
        "black_background letterboxed pillarboxed",
    ),
    "one red spot": (with_a_spot_of_colour, "spot_color", "greyscale colorful"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_says_what_a_person_would(name: str, score: Score) -> None:
    make, expected, wrong = PICTURES[name]
    scores = score(make())
    kept = {tag for tag, value in scores.items() if value >= THRESHOLD}
    assert set(expected.split()) <= kept, scores
    assert not set(wrong.split()) & kept, scores


@pytest.mark.parametrize(
    ("colour", "tag"),
    [
        ("white", "white_background"),
        ("black", "black_background"),
        ("grey", "grey_background"),
        ("red", "red_background"),
        ("pink", "pink_background"),
        ("orange", "orange_background"),
        ("saddlebrown", "brown_background"),
        ("yellow", "yellow_background"),
        ("green", "green_background"),
        ("cyan", "aqua_background"),
        ("lightblue", "light_blue_background"),
        ("blue", "blue_background"),
        ("purple", "purple_background"),
    ],
)
def test_names_plain_colours(colour: str, tag: str, score: Score) -> None:
    scores = score(Image.new("RGB", (500, 400), colour))
    backgrounds = {name: value for name, value in scores.items() if name.endswith("_background")}
    del backgrounds["simple_background"]
    assert backgrounds[tag] == max(backgrounds.values())
    assert scores["simple_background"] > 0.9


@pytest.mark.parametrize(
    ("size", "tolerance"), [((512, 256), 0.01), ((256, 512), 0.01), ((4000, 300), 0.01), ((60, 100), 0.15)]
)
def test_white_padding_is_no_part_of_the_picture(size: tuple[int, int], tolerance: float, score: Score) -> None:
    # Enlarging a small picture rings a little along its edge, hence the last tolerance.
    plain = score(Image.new("RGB", (512, 512), "teal"))
    padded = score(Image.new("RGB", size, "teal"))
    assert padded == pytest.approx(plain, abs=tolerance)


def test_thresholds_act_gradually(session: onnxruntime.InferenceSession) -> None:
    names = ["astronaut", "chelsea", "coffee", "rocket", "china", "flower", "camera", "coins", "moon", "page"]
    values = session.run(None, {"input": np.stack([to_input(photo(name)) for name in names])})[0][:, 4:]
    kept = [int((values >= threshold).sum()) for threshold in (0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95)]
    assert kept == sorted(set(kept), reverse=True)
    assert len(np.unique(values)) > 0.6 * values.size
    assert (values >= THRESHOLD).any(axis=1).all(), "every one of these photographs has a caption"


def test_each_picture_is_scored_on_its_own(session: onnxruntime.InferenceSession) -> None:
    batch = np.stack([to_input(photo(name)) for name in ("astronaut", "chelsea", "china", "moon", "rocket")])
    together = session.run(None, {"input": batch})[0]
    alone = np.concatenate([session.run(None, {"input": batch[i : i + 1]})[0] for i in range(len(batch))])
    np.testing.assert_array_equal(together, alone)


def test_any_input_gives_probabilities(session: onnxruntime.InferenceSession) -> None:
    random = np.random.default_rng(0)
    batch = np.stack(
        [
            np.zeros((SIDE, SIDE, 3)),
            np.full((SIDE, SIDE, 3), 255.0),
            random.integers(0, 256, (SIDE, SIDE, 3)),
            random.integers(0, 2, (SIDE, SIDE, 3)) * 255,
            to_input(Image.new("RGB", (1, 4000), "red")),
            to_input(Image.new("RGB", (4000, 3), "black")),
            to_input(Image.new("L", (1, 1), 7)),
        ]
    ).astype(np.float32)
    values = session.run(None, {"input": batch})[0]
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    assert ((values >= 0) & (values <= 1)).all()


def test_has_the_interface_of_a_wd14_tagger(session: onnxruntime.InferenceSession, rows: list[dict[str, str]]) -> None:
    (taken,), (given,) = session.get_inputs(), session.get_outputs()
    assert (taken.type, given.type) == ("tensor(float)", "tensor(float)")
    assert taken.shape == ["batch", SIDE, SIDE, 3]
    assert given.shape == ["batch", len(rows)]
    assert list(rows[0]) == ["tag_id", "name", "category", "count"]
    assert [row["name"] for row in rows[:4]] == ["general", "sensitive", "questionable", "explicit"]
    assert [row["category"] for row in rows] == ["9"] * 4 + ["0"] * (len(rows) - 4)
    assert len({row["name"] for row in rows}) == len({row["tag_id"] for row in rows}) == len(rows)


def test_rating_is_the_constant_that_the_card_says(score: Score) -> None:
    for picture in (photo("astronaut"), Image.new("RGB", (448, 448), "black")):
        scores = score(picture)
        ratings = [scores[name] for name in ("general", "sensitive", "questionable", "explicit")]
        assert ratings == pytest.approx([0.90, 0.07, 0.02, 0.01])


def test_is_small_plain_and_self_contained() -> None:
    path = FOLDER / "model.onnx"
    assert path.stat().st_size < 300_000
    model = onnx.load(str(path), load_external_data=False)
    assert model.ir_version <= 10
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    assert not model.functions


def test_card_names_every_kind_of_tag_it_gives(rows: list[dict[str, str]]) -> None:
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    for row in rows:
        name = row["name"]
        assert name in card or name.endswith(("_theme", "_background")), name
    assert f"(batch, {len(rows)})" in card


def test_script_rebuilds_the_files_to_the_byte(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "scripts.builtin_model", "--output", str(tmp_path)], cwd=ROOT, check=True, timeout=120
    )
    for name in ("model.onnx", "selected_tags.csv"):
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes(), name
