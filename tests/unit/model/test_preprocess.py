"""From picture to array: both profiles, every layout, and squares that are never built."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from PIL import Image

from wd14.model import area_resize as area
from wd14.model.preprocess import prepare
from wd14.types import FloatArray, InputSpec

KOHYA = InputSpec()


def noise(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(width * 100_003 + height)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def padded(image: Image.Image) -> Image.Image:
    side = max(image.size)
    square = Image.new("RGB", (side, side), "white")
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square


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

    def test_third_of_the_size_rounds_halves_to_even(self) -> None:
        row = np.array([0] * 8 + [4, 5], np.uint8)  # means of a 3 x 3 block: 4/9 = 0.44, 5/9 = 0.56
        dim, bright = (np.tile(np.append(np.zeros(8, np.uint8), v).reshape(3, 3), (448, 448)) for v in row[-2:])
        assert (kohya(Image.fromarray(dim).convert("RGB")) == 0).all()
        assert (kohya(Image.fromarray(bright).convert("RGB")) == 1).all()

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

    def test_large_pictures_are_read_in_bands(self, monkeypatch: pytest.MonkeyPatch) -> None:
        image = noise(1500, 2100)
        expected = kohya(image)
        monkeypatch.setattr(area, "_COPIED_WHOLE", 0)
        assert np.array_equal(kohya(image), expected)

    def test_another_models_size(self) -> None:
        # 1024 -> 512 takes the mean of four, rounded half up
        image = noise(1024, 1024)
        blocks = np.asarray(image).reshape(512, 2, 512, 2, 3).astype(int).sum(axis=(1, 3))
        assert np.array_equal(kohya(image, InputSpec(size=512, channels="RGB")), (blocks + 2) // 4)


class TestReference:
    @pytest.mark.parametrize(
        "size",
        [
            *((1, 1), (300, 200), (448, 448), (449, 300), (770, 1024), (1000, 999), (448, 1344), (1344, 448)),
            *((449, 1), (1, 449), (500, 5), (5, 500), (2500, 25), (25, 2500), (3001, 2), (2, 3001)),
        ],
    )
    def test_is_padded_then_bicubic(self, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
        """Also where the picture is worked on in many bands."""
        image = noise(*size)
        expected = np.asarray(padded(image).resize((448, 448), Image.Resampling.BICUBIC))[:, :, ::-1]
        assert np.array_equal(reference(image), expected.astype(np.float32))
        monkeypatch.setattr("wd14.model.preprocess._BAND_PIXELS", 5000)
        assert np.array_equal(reference(image), expected.astype(np.float32))

    @pytest.mark.parametrize("size", [(5, 4500), (300, 5000), (4500, 5), (5000, 4800)])
    def test_of_a_large_picture_it_is_at_most_one_off(self, size: tuple[int, int]) -> None:
        image = noise(*size)
        expected = np.asarray(padded(image).resize((448, 448), Image.Resampling.BICUBIC))[:, :, ::-1]
        assert np.abs(reference(image) - expected.astype(np.float32)).max() <= 1

    def test_differs_from_kohya(self) -> None:
        image = noise(770, 1024)
        assert np.abs(reference(image) - kohya(image)).mean() > 1


class TestExtremes:
    @pytest.mark.parametrize("profile", ["kohya", "reference"])
    @pytest.mark.parametrize("size", [(20_000, 200), (200, 20_000)])
    def test_the_square_is_never_built(self, size: tuple[int, int], profile: str) -> None:
        image = Image.new("RGB", size, (0, 0, 0))  # 12 MB; its square would be 1.2 GB
        tracemalloc.start()
        try:
            values = prepare(image, KOHYA, profile=profile, image_size=0)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 150e6
        # The picture's band is 200 / 20000 of 448 = 4.48 pixels, in the middle.
        profile_line = values[:, 200, 0] if size[0] > size[1] else values[200, :, 0]
        assert profile_line.argmin() in (222, 223, 224, 225)
        assert (255 - profile_line).sum() / 255 == pytest.approx(4.48, abs=0.05)

    @pytest.mark.parametrize("profile", ["kohya", "reference"])
    @pytest.mark.parametrize("size", [(70_001, 3), (3, 70_001), (5000, 5), (1, 9000)])
    def test_slivers(self, size: tuple[int, int], profile: str) -> None:
        values = prepare(Image.new("RGB", size), KOHYA, profile=profile, image_size=0)
        assert values.shape == (448, 448, 3)
        assert values.min() < 255
        assert (values[0, 0] == 255).all()


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
