"""Opens pictures ahead of the model: rows of the source in, decoded rows out, in order.

A decoding thread reads a row's picture and hashes it; then it finds the stored scores, or makes the model's input.
Either way it brings the picture to where the output is built.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from itertools import chain
from typing import Any, Protocol, Self

from PIL import Image

from wd14.config import CaptionConfig
from wd14.errors import ImageTooLargeError, RowError
from wd14.images.facts import facts_of
from wd14.images.opening import MOST_FRAMES, PictureFile
from wd14.images.reading import bytes_to_read, read_picture
from wd14.images.thumbnail import SIDE as THUMBNAIL_SIDE
from wd14.images.thumbnail import thumbnail_of
from wd14.input_spec import WHITE, InputSpec
from wd14.model.geometry import picture_box
from wd14.model.preprocess import pixels
from wd14.threads import Budget, OrderedMap, available_cores
from wd14.types import DecodedRow, FloatArray, InputRow, PictureToSave, PixelArray

#: Rows from stored scores travel in groups of this many: they come so quickly that waking a thread for each would cost
#: most of the time (benchmarks: rerun).
_GROUP = 16
#: Pixels that may be open at once: a few ordinary pictures, or one huge one.
_PIXELS_AT_ONCE = 128_000_000
#: Bytes of encoded pictures that may be in memory at once, in the queue as in the decoding threads: hundreds of
#: ordinary pictures, or one huge one.
_BYTES_AT_ONCE = 256 << 20
#: Files of fewer bytes do not count: all threads together hold few of them (benchmarks: rerun).
_SMALL_FILE = 4 << 20
#: Groups that are decoded ahead of the model, beside four for each thread: so far that a huge picture, for which the
#: others must wait, keeps no thread from working. A picture that is ready holds 0.6 MB.
_AHEAD = 8
#: Decoding threads by default, at most. On a GPU machine decoding is the limit (16 cores: about 550 mixed pictures a
#: second), so every core gets one.
_MOST_WORKERS = 64


class PictureLimits:
    """How much of pictures the threads of a pass may have in memory at once.

    Attributes:
        max_pixels: pixels that a picture may have.
        most_bytes: bytes of encoded pictures that may wait in a queue.
        workers: threads that the config asks for, 0 = none; by default as many as there are cores, to a limit.
    """

    def __init__(self, config: CaptionConfig) -> None:
        self.max_pixels = round(config.max_megapixels * 1_000_000)
        self.most_bytes = _BYTES_AT_ONCE
        workers = config.max_data_loader_n_workers
        self.workers = min(available_cores(), _MOST_WORKERS) if workers is None else workers
        self._pixels = Budget(_PIXELS_AT_ONCE)
        self._bytes = Budget(_BYTES_AT_ONCE)

    def reading(self, size: int) -> AbstractContextManager[None]:
        """Holds what so many bytes take that are read from files."""
        return nullcontext() if size < _SMALL_FILE else self._bytes.taking(size)

    def opening(self, picture: PictureFile) -> AbstractContextManager[None]:
        """Holds what the pixels of a picture take."""
        return self._pixels.taking(picture.pixels)


class Thumbnails(Protocol):
    """Takes thumbnails. Every method may be called by any thread."""

    def wants(self, row: int) -> bool:
        """Whether the picture of a row, by its position in the source, is to have one."""
        ...

    def stored(self, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Those that are stored for the sha256 of pictures."""
        ...

    def take(self, row: int, thumbnail: bytes) -> bool:
        """Takes the one of a row; returns whether it could be kept."""
        ...


class Decoder:
    """Decoded rows, to be iterated over once; a context manager, whose end stops the threads.

    Args:
        rows: the source's rows; iterated in a thread of the decoder's, unless the config wants no threads.
        config: the parameters.
        spec: how the model wants its pictures.
        stored_scores: gives the scores, (T,) float32, that are stored for the sha256 of pictures.
        stage: brings a picture to where the output is built; what it returns stays with the row. Called by any thread.
        on_model_needed: called when a picture needs the model, from any thread, often.
        with_facts: whether a picture that is decoded comes with its facts, where the config has it upright.
        with_boxes: whether a picture that is decoded comes with its box: the model has a mask.
        thumbnails: takes the pictures' thumbnails; None = none are made.
    """

    def __init__(
        self,
        rows: Iterable[InputRow],
        config: CaptionConfig,
        spec: InputSpec,
        *,
        stored_scores: Callable[[Sequence[bytes]], Mapping[bytes, FloatArray]],
        stage: Callable[[InputRow, PictureToSave], Any],
        on_model_needed: Callable[[], None],
        with_facts: bool,
        with_boxes: bool,
        thumbnails: Thumbnails | None = None,
    ) -> None:
        self._config = config
        self._with_boxes = with_boxes
        self._spec = spec
        self._stored_scores = stored_scores
        self._stage = stage
        self._on_model_needed = on_model_needed
        self._with_facts = with_facts and config.exif_orientation  # else it may lie on its side
        self._thumbnails = thumbnails
        self._limits = PictureLimits(config)
        self._group_size = 1
        workers = self._limits.workers
        self._threads: OrderedMap[list[InputRow], list[DecodedRow]] | None = None
        self._decoded: Iterable[list[DecodedRow]]
        if workers == 0:
            self._decoded = map(self._decode_group, self._groups(rows))
        else:
            self._decoded = self._threads = OrderedMap(
                self._decode_group,
                self._groups(rows),
                workers=workers,
                window=_AHEAD + 4 * workers,
                name="wd14-decode",
                weigh=_bytes_in_memory,
                most_bytes=self._limits.most_bytes,
            )

    def __iter__(self) -> Iterator[DecodedRow]:
        return chain.from_iterable(self._decoded)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._threads is not None:
            self._threads.close()

    def _groups(self, rows: Iterable[InputRow]) -> Iterator[list[InputRow]]:
        """Rows one by one, or several at a time while they need no model."""
        group: list[InputRow] = []
        for row in rows:
            group.append(row)
            if len(group) >= self._group_size or row.data is not None:
                yield group
                group = []
        if group:
            yield group

    def _decode_group(self, rows: list[InputRow]) -> list[DecodedRow]:
        """Rows that are ready for the model, have their scores, or have failed."""
        decoded = [DecodedRow(row) for row in rows]
        for part, size in _parts(decoded):
            with self._limits.reading(size):
                self._decode(part)
        for row in decoded:
            if row.result.error is not None:
                row.pixels = None
            if row.input.data is not None:
                row.input = replace(row.input, data=None)  # they have a place now; what waits must not hold them too
        self._group_size = _GROUP if all(row.from_scores for row in decoded) else 1
        return decoded

    def _decode(self, rows: Sequence[DecodedRow]) -> None:
        """Decodes some rows. All are read, up to 4 MB, before the store is asked for all of them.

        Each question to the store is a handful of waits for other threads (benchmarks: rerun).
        """
        pictures = []
        for row in rows:
            with _failing(row):
                data = read_picture(row.input)
                row.digest, row.size = hashlib.sha256(data).digest(), len(data)
                pictures.append((row, data))
        thumbnails = self._find_stored([row for row, _ in pictures])
        for row, data in pictures:
            with _failing(row):
                row.staged = self._stage(row.input, self._picture(row, data))
                self._take_thumbnail(row, data, thumbnails.get(row.digest))

    def _find_stored(self, rows: Sequence[DecodedRow]) -> Mapping[bytes, bytes]:
        """Gives rows their stored scores; returns the stored thumbnails of those that have some."""
        scores = self._stored_scores([row.digest for row in rows])
        for row in rows:
            row.result.scores = scores.get(row.digest)
            row.from_scores = row.result.scores is not None
        thumbnails = self._thumbnails
        if thumbnails is None:
            return {}
        return thumbnails.stored([row.digest for row in rows if row.from_scores and thumbnails.wants(row.input.index)])

    def _take_thumbnail(self, decoded: DecodedRow, data: bytes, stored: bytes | None) -> None:
        """Hands on the picture's thumbnail: the one made of its pixels, the stored one, or one made for itself."""
        thumbnails, row = self._thumbnails, decoded.input.index
        if thumbnails is None or not thumbnails.wants(row):
            return
        made = decoded.thumbnail
        found = made or stored
        if found is None:
            made = found = self._thumbnail_of_file(data)
        decoded.has_thumbnail = found is not None and thumbnails.take(row, found)
        decoded.thumbnail = made

    def _thumbnail_of_file(self, data: bytes) -> bytes | None:
        try:
            picture = PictureFile(data, max_pixels=self._limits.max_pixels)
            with self._limits.opening(picture):
                return thumbnail_of(picture.rgb(upright=True, at_least=2 * THUMBNAIL_SIDE))
        except (RowError, MemoryError):
            return None  # the page shows the picture itself, or its name

    def _picture(self, decoded: DecodedRow, data: bytes) -> PictureToSave:
        """The picture as it is to be saved; where it has no scores yet, it also becomes the model's input."""
        config = self._config
        picture = PictureFile(data, max_pixels=self._limits.max_pixels)
        flatten = picture.needs_flattening and config.flatten_transparency and not config.in_place
        as_png = False
        if not decoded.from_scores:
            self._on_model_needed()
        if flatten or not decoded.from_scores:
            with self._limits.opening(picture):
                if not decoded.from_scores:
                    image = picture.rgb(upright=config.exif_orientation)
                    decoded.pixels = self._pixels(picture, image)
                    if self._with_boxes:
                        decoded.box = picture_box(image.size, self._spec, image_size=config.image_size)
                    if self._with_facts:
                        decoded.facts = facts_of(image)
                    if self._thumbnails is not None and self._thumbnails.wants(decoded.input.index):
                        decoded.thumbnail = thumbnail_of(picture.rgb(upright=True))
                if flatten:
                    data, saved_as = picture.flattened()
                    decoded.saved_digest = hashlib.sha256(data).digest()
                    as_png = saved_as != picture.format
                    decoded.notes.append(f"saved as RGB {'PNG ' if as_png else ''}on white")
        frames = picture.frames  # last: see there
        if frames > 1:
            decoded.notes.append(f"first of {frames}{' or more' if frames == MOST_FRAMES else ''} frames")
        return PictureToSave(data, as_png=as_png)

    def _pixels(self, picture: PictureFile, image: Image.Image) -> PixelArray:
        """What the model is to see of a picture, of which `image` is the one on white."""
        config, spec = self._config, self._spec
        if spec.background != WHITE:
            image = picture.rgb(upright=config.exif_orientation, background=spec.background)
        return pixels(image, spec, profile=config.profile, image_size=config.image_size)


def _parts(rows: Iterable[DecodedRow]) -> Iterator[tuple[list[DecodedRow], int]]:
    """Rows whose pictures are few bytes together, or single ones; with each part the bytes that are read for it."""
    part: list[DecodedRow] = []
    size = 0
    for row in rows:
        more = bytes_to_read(row.input)
        if part and size + more >= _SMALL_FILE:
            yield part, size
            part, size = [], 0
        part.append(row)
        size += more
    if part:
        yield part, size


@contextmanager
def _failing(row: DecodedRow) -> Iterator[None]:
    """Lets a row fail where its picture cannot be opened."""
    try:
        yield
    except RowError as error:
        row.result.error = error.without_frames()
    except MemoryError:
        row.result.error = ImageTooLargeError("there is not enough memory to open it")


def _bytes_in_memory(rows: Sequence[InputRow] | Sequence[DecodedRow]) -> int:
    """Bytes of encoded pictures that rows hold. Decoded rows hold none, and mostly rows name files."""
    return sum(len(row.data) for row in rows if isinstance(row, InputRow) and row.data is not None)
