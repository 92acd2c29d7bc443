"""From picture to array: both profiles, every layout, and extreme shapes."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wd14.input_spec import InputSpec
from wd14.model import area_resize, padded_square
from wd14.model.padded_square import PaddedSquare
from wd14.model.preprocess import pixels, values
from wd14.types import FloatArray

KOHYA = InputSpec()
ROOT = Path(__file__).parents[3]


def noise(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(width * 100_003 + height)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def padded(image: Image.Image) -> Image.Image:
    side = max(image.size)
    square = Image.new("RGB", (side, side), "white")
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square


def prepare(image: Image.Image, spec: InputSpec, *, profile: str, image_size: int) -> FloatArray:
    return values(pixels(image, spec, profile=profile, image_size=image_size), spec)


def kohya(image: Image.Image, spec: InputSpec = KOHYA, image_size: int = 0) -> FloatArray:
    return prepare(image, spec, profile="kohya", image_size=image_size)


def reference(image: Image.Image, spec: InputSpec = KOHYA) -> FloatArray:
    return prepare(image, spec, profile="reference", image_size=0)


class TestLayout:
    IMAGE = Image.new("RGB", (448, 448), (10, 20, 30))

    def test_nhwc_bgr(self) -> None:
        values = kohya(self.IMAGE)
        assert values.shape == (448, 448, 3)
        assert values.dtype == np.float32
        assert values.flags.c_contiguous
        assert values[5, 7].tolist() == [30.0, 20.0, 10.0]

    def test_rgb(self) -> None:
        assert kohya(self.IMAGE, InputSpec(channels="RGB"))[5, 7].tolist() == [10.0, 20.0, 30.0]

    def test_nchw_in_minus_one_to_one(self) -> None:
        values = kohya(self.IMAGE, InputSpec(layout="NCHW", value_range="-1..1"))
        assert values.shape == (3, 448, 448)
        assert values.flags.c_contiguous
        expected = (np.array([30, 20, 10], np.float32) / 127.5 - 1.0).astype(np.float32)  # as kohya writes it
        assert values[:, 5, 7].tolist() == expected.tolist()
        assert kohya(Image.new("RGB", (9, 9), "white"), InputSpec(value_range="-1..1")).max() == 1.0
        assert kohya(Image.new("RGB", (9, 9)), InputSpec(value_range="-1..1")).min() == -1.0

    @pytest.mark.parametrize("size", [224, 512])
    def test_other_sizes(self, size: int) -> None:
        assert kohya(noise(300, 200), InputSpec(size=size)).shape == (size, size, 3)
        assert reference(noise(300, 200), InputSpec(size=size)).shape == (size, size, 3)

    def test_squash_stretches(self) -> None:
        image = Image.new("RGB", (10, 900), (10, 20, 30))
        values = kohya(image, InputSpec(fit="squash", channels="RGB"))
        assert (values == np.array([10, 20, 30], np.float32)).all()  # no white beside it

    def test_bad_arguments(self) -> None:
        with pytest.raises(ValueError, match="profile is 'other'"):
            prepare(self.IMAGE, KOHYA, profile="other", image_size=0)
        with pytest.raises(ValueError, match="RGB"):
            kohya(Image.new("RGBA", (4, 4)))


class TestPadding:
    @pytest.mark.parametrize("profile", ["kohya", "reference"])
    def test_white_beside_a_tall_picture(self, profile: str) -> None:
        values = prepare(Image.new("RGB", (448, 896)), KOHYA, profile=profile, image_size=0)
        assert (values[:, :110] == 255).all()
        assert (values[:, 115:333] == 0).all()
        assert (values[:, 338:] == 255).all()

    @pytest.mark.parametrize(("width", "left"), [(446, 1), (445, 1), (447, 0), (1, 223)])
    def test_an_odd_pixel_goes_right(self, width: int, left: int) -> None:
        values = kohya(Image.new("RGB", (width, 448)))
        assert (values[:, :left] == 255).all()
        assert (values[:, left : left + width] == 0).all()
        assert (values[:, left + width :] == 255).all()

    def test_an_odd_pixel_goes_below(self) -> None:
        values = kohya(Image.new("RGB", (448, 445)))
        assert (values[0] == 255).all()
        assert (values[1:446] == 0).all()
        assert (values[446:] == 255).all()


class TestKohya:
    def test_half_size_is_the_mean_of_four(self) -> None:
        block = np.array([[[0], [1]], [[2], [3]]], np.uint8).repeat(3, axis=2)  # mean 1.5, which OpenCV rounds up
        values = kohya(Image.fromarray(np.tile(block, (448, 448, 1))))
        assert (values == 2).all()

    def test_whole_pixels_are_averaged_and_rounded(self) -> None:
        tile = np.zeros((3, 3), np.uint8)
        for value, expected in ((4, 0), (5, 1)):  # 4 / 9 = 0.44, 5 / 9 = 0.56
            tile[2, 2] = value
            assert (kohya(Image.fromarray(np.tile(tile, (448, 448))).convert("RGB")) == expected).all()

    @pytest.mark.parametrize(("value", "expected"), [(8, 0), (24, 2)])  # 8 / 16 = 0.5, 24 / 16 = 1.5
    def test_halves_of_sixteen_pixels_go_to_the_even_value(self, value: int, expected: int) -> None:
        tile = np.zeros((4, 4), np.uint8)
        tile[1, 2] = value
        assert (kohya(Image.fromarray(np.tile(tile, (448, 448))).convert("RGB")) == expected).all()

    @pytest.mark.parametrize(
        "size", [(1, 1), (447, 447), (447, 1), (1, 447), (300, 200), (100, 1), (1, 100), (13, 440)]
    )
    def test_smaller_is_padded_then_lanczos(self, size: tuple[int, int]) -> None:
        image = noise(*size)
        expected = np.asarray(padded(image).resize((448, 448), Image.Resampling.LANCZOS))[:, :, ::-1]
        assert np.array_equal(kohya(image), expected.astype(np.float32))

    def test_same_size_is_left_alone(self) -> None:
        image = noise(448, 448)
        assert np.array_equal(kohya(image), np.asarray(image)[:, :, ::-1].astype(np.float32))

    def test_bands_of_any_height_give_the_same(self, monkeypatch: pytest.MonkeyPatch) -> None:
        image = noise(600, 850)
        expected = kohya(image)
        monkeypatch.setattr(area_resize, "_VALUES_AT_ONCE", 1)
        assert np.array_equal(kohya(image), expected)

    def test_another_models_size(self) -> None:
        # 1024 -> 512 takes the mean of four, rounded half up
        image = noise(1024, 1024)
        blocks = np.asarray(image).reshape(512, 2, 512, 2, 3).astype(int).sum(axis=(1, 3))
        assert np.array_equal(kohya(image, InputSpec(size=512, channels="RGB")), (blocks + 2) // 4)


class TestReference:
    @pytest.mark.parametrize("size", [(300, 200), (448, 448), (770, 1024)])
    def test_is_padded_then_bicubic(self, size: tuple[int, int]) -> None:
        image = noise(*size)
        expected = np.asarray(padded(image).resize((448, 448), Image.Resampling.BICUBIC))[:, :, ::-1]
        assert np.array_equal(reference(image), expected.astype(np.float32))

    def test_differs_from_kohya(self) -> None:
        image = noise(770, 1024)
        assert np.abs(reference(image) - kohya(image)).mean() > 1


SHAPES = [
    *[(1, 1), (2, 1), (1, 100), (13, 440), (123, 104), (300, 200), (447, 446), (448, 448), (448, 1), (449, 300)],
    *[(449, 1), (770, 1024), (1000, 999), (1019, 18), (1344, 448), (2000, 31), (2501, 25), (3001, 2000)],
]


class TestPaddedSquare:
    @pytest.mark.parametrize("resample", [Image.Resampling.BICUBIC, Image.Resampling.LANCZOS], ids=lambda r: r.name)
    @pytest.mark.parametrize("size", [448, 512, 100, 37])
    def test_resizes_as_the_whole_square(
        self, size: int, resample: Image.Resampling, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(padded_square, "_BAND", 100_000)
        for width, height in SHAPES:
            for shape in ((width, height), (height, width)):
                image = noise(*shape)
                expected = padded(image).resize((size, size), resample)
                assert PaddedSquare(image).resized(size, resample).tobytes() == expected.tobytes(), shape

    def test_a_part_may_reach_beyond_the_square(self) -> None:
        square = PaddedSquare(Image.new("RGB", (2, 1)))
        assert np.asarray(square.part(-1, -1, 3, 3))[:, :, 0].tolist() == [
            [255, 255, 255, 255],
            [255, 0, 0, 255],
            [255, 255, 255, 255],
            [255, 255, 255, 255],
        ]

    def test_is_built_in_bands(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(padded_square, "_BAND", 10_000)
        areas = []
        original = PaddedSquare.part

        def measured(self: PaddedSquare, *box: int) -> Image.Image:
            part = original(self, *box)
            areas.append(part.width * part.height)
            return part

        monkeypatch.setattr(PaddedSquare, "part", measured)
        PaddedSquare(noise(300, 200)).resized(100, Image.Resampling.BICUBIC)
        assert sum(areas) == 300 * 200
        assert max(areas) == 300 * 33

    def test_averages_a_side_that_is_too_long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(padded_square, "_LONGEST", 4)
        columns = np.zeros((2, 12, 3), np.uint8)
        columns[:, ::3] = 90  # the mean of three is 30; beside the two rows is a third, white one: (30 + 30 + 255) / 3
        for image in (Image.fromarray(columns), Image.fromarray(columns.transpose(1, 0, 2))):
            square = PaddedSquare(image)
            assert (square.side, min(square.width, square.height)) == (4, 1)
            expected = np.full((4, 4, 3), 255)
            expected[1] = 105
            expected = expected if image.width > image.height else expected.transpose(1, 0, 2)
            assert np.array_equal(np.asarray(square.part(0, 0, 4, 4)), expected)
        assert PaddedSquare(noise(4, 3)).side == 4


class TestExtremes:
    @pytest.mark.parametrize("profile", ["kohya", "reference"])
    @pytest.mark.parametrize("size", [(20_000, 200), (200, 20_000)])
    def test_light_and_place_are_right(self, size: tuple[int, int], profile: str) -> None:
        values = prepare(Image.new("RGB", size), KOHYA, profile=profile, image_size=0)
        # The picture's band is 200 / 20000 of 448 = 4.48 pixels, in the middle.
        across = values[:, 200, 0] if size[0] > size[1] else values[200, :, 0]
        assert across.argmin() in (222, 223, 224, 225)
        assert (255 - across).sum() / 255 == pytest.approx(4.48, abs=0.05)

    @pytest.mark.skipif(sys.platform == "win32", reason="measures memory as POSIX does")
    @pytest.mark.parametrize("profile", ["kohya", "reference"])
    @pytest.mark.parametrize("size", [(20_000, 200), (200, 20_000), (2_000_000, 3), (3, 2_000_000)])
    def test_the_square_is_never_built(self, size: tuple[int, int], profile: str) -> None:
        """That of 20000 pixels would take 1.1 GiB, that of two million 12 TB."""
        code = f"""
import resource
from PIL import Image
from wd14.model.preprocess import pixels
from wd14.input_spec import InputSpec
image = Image.new("RGB", {size})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
pixels(image, InputSpec(), profile="{profile}", image_size=0)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
        unit = 1 if sys.platform == "darwin" else 1024
        assert int(done.stdout) * unit < 400e6

    @pytest.mark.parametrize("profile", ["kohya", "reference"])
    @pytest.mark.parametrize("size", [(70_001, 3), (3, 70_001), (5000, 5), (1, 9000), (1, 2_000_000)])
    def test_slivers(self, size: tuple[int, int], profile: str) -> None:
        started = time.process_time()
        values = prepare(Image.new("RGB", size), KOHYA, profile=profile, image_size=0)
        assert time.process_time() - started < 30
        assert values.shape == (448, 448, 3)
        assert (values[0, 0] == 255).all()
        if min(size) / max(size) * 448 * 255 > 1:  # darkens a pixel by more than one of 255
            assert values.min() < 255


class TestImageSize:
    def test_shrinks_the_shorter_side_first(self) -> None:
        image = noise(900, 600)
        smaller = image.resize((300, 200), Image.Resampling.LANCZOS)
        assert np.array_equal(kohya(image, image_size=200), kohya(smaller))
        assert not np.array_equal(kohya(image, image_size=200), kohya(image))

    @pytest.mark.parametrize("image_size", [0, 600, 601, 16384])
    def test_never_enlarges(self, image_size: int) -> None:
        image = noise(900, 600)
        assert np.array_equal(kohya(image, image_size=image_size), kohya(image))

    def test_one_pixel(self) -> None:
        assert kohya(noise(900, 600), image_size=1).shape == (448, 448, 3)
