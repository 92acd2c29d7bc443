"""The built-in model: its tags for pictures that a person can judge, and scores worked out by hand."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps
from skimage import data
from sklearn.datasets import load_sample_image

FOLDER = Path(__file__).resolve().parents[3] / "wd14" / "model" / "builtin"
SIDE = 448
THRESHOLD = 0.35

Score = Callable[[Image.Image], Mapping[str, float]]


def to_input(picture: Image.Image) -> NDArray[np.float32]:
    """Pads with white to a square, resizes, and turns to BGR: the input of every WD14 tagger."""
    side = max(picture.size)
    square = Image.new("RGB", (side, side), "white")
    square.paste(picture.convert("RGB"), ((side - picture.width) // 2, (side - picture.height) // 2))
    resized = square.resize((SIDE, SIDE), Image.Resampling.BOX if side >= SIDE else Image.Resampling.LANCZOS)
    return np.ascontiguousarray(np.asarray(resized, dtype=np.float32)[:, :, ::-1])


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        str(FOLDER / "model.onnx"), sess_options=options, providers=["CPUExecutionProvider"]
    )


@pytest.fixture(scope="module")
def score(session: onnxruntime.InferenceSession) -> Score:
    with (FOLDER / "selected_tags.csv").open(encoding="utf-8", newline="") as file:
        names = [row["name"] for row in csv.DictReader(file)]

    def run(picture: Image.Image) -> Mapping[str, float]:
        values = session.run(None, {"input": to_input(picture)[None]})[0][0]
        return {name: float(value) for name, value in zip(names, values, strict=True)}

    return run


def photo(name: str) -> Image.Image:
    """A photograph that scikit-image or scikit-learn ships."""
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


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def columns(*stripes: tuple[int, str]) -> Image.Image:
    """Vertical stripes, each so many cells of 8 pixels wide; 56 in all."""
    picture, left = Image.new("RGB", (SIDE, SIDE)), 0
    for cells, colour in stripes:
        picture.paste(colour, (left * 8, 0, (left + cells) * 8, SIDE))
        left += cells
    assert left == 56
    return picture


def with_square(side: int, left: str = "#404040", right: str = "#c8c8c8") -> Image.Image:
    """A crimson square of so many cells on two colours."""
    picture = columns((28, left), (28, right))
    picture.paste("crimson", (80, 80, 80 + 8 * side, 80 + 8 * side))
    return picture


def full_moon() -> Image.Image:
    """A disc as wide as the picture: black rows above and below, but no letterbox."""
    picture = Image.new("RGB", (500, 800), "black")
    ImageDraw.Draw(picture).ellipse([0, 150, 499, 649], fill="#b0b0b0")
    return picture


# picture -> tags that a person would give it, tags that would be wrong
PICTURES: dict[str, tuple[Callable[[], Image.Image], str, str]] = {
    "red disc on white": (
        lambda: disc("white", "red"),
        "simple_background white_background red_theme",
        "greyscale blue_theme grey_background blurry dark border pale_color blurry_background",
    ),
    "red disc on white, landscape": (
        lambda: disc("white", "red", (900, 500)),
        "simple_background white_background red_theme",
        "white_border letterboxed",
    ),
    "yellow disc on blue": (
        lambda: disc("#4060c0", "yellow"),
        "simple_background blue_background",
        "white_background colorful",
    ),
    "navy disc on pink, landscape": (
        lambda: disc("pink", "navy", (900, 400)),
        "simple_background pink_background",
        "white_background border",
    ),
    "grey disc on black, portrait": (
        lambda: disc("black", "grey", (500, 800)),
        "simple_background black_background greyscale monochrome",
        "white_background pillarboxed black_border black_theme",
    ),
    "figure on white": (standing_figure, "simple_background white_background blue_theme", "white_border"),
    "dusk": (lambda: gradient((250, 240, 200), (60, 90, 200)), "gradient_background simple_background", "blurry"),
    "cat": (lambda: photo("chelsea"), "brown_theme", "white_background simple_background greyscale blue_theme"),
    "cat in grey": (
        lambda: photo("chelsea").convert("L"),
        "greyscale monochrome",
        "brown_theme sepia white_background muted_color limited_palette",
    ),
    "coffee": (lambda: photo("coffee"), "brown_theme", "white_background simple_background monochrome"),
    "rocket at dusk": (lambda: photo("rocket"), "blue_theme dark", "white_background brown_theme greyscale"),
    "astronaut": (lambda: photo("astronaut"), "orange_theme", "simple_background dark blurry monochrome pillarboxed"),
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
    "pagoda in orange": (
        lambda: ImageOps.colorize(photo("china").convert("L"), "black", "#ff9000"),
        "monochrome orange_theme",
        "sepia",
    ),
    "pagoda in blue": (
        lambda: ImageOps.colorize(photo("china").convert("L"), "#081020", "#d8e8ff"),
        "monochrome blue_theme",
        "sepia",
    ),
    "pagoda at night": (
        lambda: ImageEnhance.Brightness(photo("china")).enhance(0.25),
        "dark",
        "pale_color muted_color",
    ),
    "pagoda out of focus": (lambda: photo("china").filter(ImageFilter.GaussianBlur(8)), "blurry", "blurry_background"),
    "pagoda, washed out": (
        lambda: Image.blend(photo("china"), Image.new("RGB", (640, 427), "white"), 0.75),
        "pale_color",
        "dark colorful pastel_colors",
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
    "full moon": (full_moon, "black_background", "letterboxed"),
    "full moon, on its side": (lambda: full_moon().rotate(90, expand=True), "black_background", "pillarboxed"),
    "pastel stripes": (
        lambda: columns((19, "#ffd1dc"), (19, "#cfe4f7"), (18, "#e0f8d0")),
        "pastel_colors",
        "dark muted_color greyscale blurry_background",
    ),
    "dull stripes": (lambda: columns((28, "#907060"), (28, "#607090")), "brown_theme blue_theme", "pastel_colors"),
    "loud stripes": (lambda: columns((28, "yellow"), (28, "cyan")), "yellow_theme aqua_theme", "pastel_colors"),
    "plain pink": (lambda: columns((56, "pink")), "pink_background pink_theme", "pastel_colors colorful"),
    "light grey": (lambda: columns((56, "#f0f0f0")), "white_background greyscale", "pale_color white_theme"),
    "warm grey": (
        lambda: columns((28, "#8a8680"), (28, "#7a7874")),
        "",
        "sepia brown_theme orange_theme yellow_theme green_theme",
    ),
    "cool grey": (lambda: columns((28, "#7c8084"), (28, "#70757a")), "", "blue_theme aqua_theme"),
    "a spot on sepia": (lambda: with_square(8, "#504438", "#c8b8a0"), "", "spot_color"),
    "a small spot": (lambda: with_square(3), "", "greyscale"),
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
    ("colour", "name"),
    [
        *(
            (name, name)
            for name in ("white", "black", "grey", "red", "pink", "orange", "yellow", "green", "blue", "purple")
        ),
        ("saddlebrown", "brown"),
        ("cyan", "aqua"),
        ("lightblue", "light_blue"),
    ],
)
def test_names_plain_colours(colour: str, name: str, score: Score) -> None:
    plain = score(Image.new("RGB", (500, 400), colour))
    implied = {"blue"} if name == "light_blue" else set()
    backgrounds = {tag for tag, value in plain.items() if tag.endswith("_background") and value > 0.5}
    assert backgrounds == {f"{tag}_background" for tag in {"simple", name} | implied}

    mixed_edge = columns((28, "#303030"), (28, "#d0d0d0"))  # a grey theme needs a background that is not simple
    mixed_edge.paste(colour, (24, 24, 424, 448))
    themes = {tag for tag, value in score(mixed_edge).items() if tag.endswith("_theme") and value > 0.5}
    assert themes == {f"{tag}_theme" for tag in implied or {name}}


# The lightness of a grey in OKLab is the cube root of its linear value.
LIGHTNESS_64 = (64 / 255) ** (2.2 / 3)
LIGHTNESS_246 = (246 / 255) ** (2.2 / 3)
# Chroma in OKLab (CSS Color 4): red 0.2577, blue 0.3132.
RED_SHARE = 0.2577 / (0.2577 + 0.3132)
# The outer 4 of 56 cells but for the bottom are 4 * 56 + 2 * 4 * 52 = 640 cells.
EDGE_SHARE = (4 * 35 + 4 * 52) / 640


@pytest.mark.parametrize(
    ("picture", "tag", "expected"),
    [
        (columns((56, "#404040")), "dark", sigmoid((0.36 - LIGHTNESS_64) / 0.036)),
        (columns((56, "#404040")), "greyscale", 1.0),
        (columns((28, "red"), (28, "blue")), "red_theme", sigmoid((RED_SHARE - 0.42) / 0.042)),
        (columns((28, "red"), (28, "blue")), "blue_theme", sigmoid((1 - RED_SHARE - 0.42) / 0.042)),
        (columns((35, "red"), (21, "blue")), "simple_background", sigmoid((EDGE_SHARE - 0.64) / 0.064)),
        (columns((35, "red"), (21, "blue")), "red_background", sigmoid((EDGE_SHARE - 0.64) / 0.064)),
        (columns((42, "blue"), (14, "yellow")), "limited_palette", 0.5),  # 1 / (0.75^2 + 0.25^2) = 1.6
        (columns((28, "blue"), (28, "yellow")), "limited_palette", sigmoid((1.6 - 2) / 0.16)),
        (columns((28, "white"), (28, "black")), "high_contrast", sigmoid((0.5 - 0.33) / 0.033)),
        (
            columns((7, "black"), (49, "#f6f6f6")),
            "high_contrast",
            sigmoid((LIGHTNESS_246 * math.sqrt(7 * 49) / 56 - 0.33) / 0.033) * sigmoid((7 / 56 - 0.1) / 0.01),
        ),
        (with_square(5), "spot_color", sigmoid((25 / 56**2 - 0.01) / 0.001)),
        (with_square(10), "spot_color", 1.0),
        (with_square(22), "spot_color", sigmoid((0.15 - 22**2 / 56**2) / 0.015)),
    ],
)
def test_scores_are_what_the_limits_give(picture: Image.Image, tag: str, expected: float, score: Score) -> None:
    assert score(picture)[tag] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("size", "tolerance"), [((512, 256), 0.01), ((256, 512), 0.01), ((4000, 300), 0.01), ((60, 100), 0.25)]
)
def test_white_padding_is_no_part_of_the_picture(size: tuple[int, int], tolerance: float, score: Score) -> None:
    # An enlarged picture rings along its edge, hence the last tolerance.
    plain = score(Image.new("RGB", (512, 512), "teal"))
    padded = score(Image.new("RGB", size, "teal"))
    assert padded == pytest.approx(plain, abs=tolerance)


def test_thresholds_act_gradually(session: onnxruntime.InferenceSession) -> None:
    names = ["astronaut", "chelsea", "coffee", "rocket", "china", "flower", "camera", "coins", "moon", "page"]
    values = session.run(None, {"input": np.stack([to_input(photo(name)) for name in names])})[0][:, 4:]
    kept = [int((values >= threshold).sum()) for threshold in (0.05, 0.2, 0.35, 0.5, 0.65, 0.8)]
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


def test_the_rating_is_the_constant_in_the_readme(score: Score) -> None:
    for picture in (photo("astronaut"), Image.new("RGB", (448, 448), "black")):
        scores = score(picture)
        ratings = [scores[name] for name in ("general", "sensitive", "questionable", "explicit")]
        assert ratings == pytest.approx([0.90, 0.07, 0.02, 0.01])
