"""Opens pictures ahead of the model: rows of the source in, decoded rows out, in order.

A decoding thread reads a row's picture and hashes it; then it finds the stored scores, or makes the model's input.
Either way it brings the picture to where the output is built.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from itertools import chain
from typing import Any, Protocol, Self

from wd14.config import CaptionConfig
from wd14.errors import ImageTooLargeError, RowError
from wd14.images.facts import facts_of
from wd14.images.opening import MOST_FRAMES, PictureFile
from wd14.images.reading import encoded_size, read_picture
from wd14.images.thumbnail import SIDE as THUMBNAIL_SIDE
from wd14.images.thumbnail import thumbnail_of
from wd14.model.preprocess import pixels
from wd14.threads import Budget, OrderedMap, available_cores
from wd14.types import DecodedRow, FloatArray, InputRow, InputSpec, PictureToSave

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

    def reading(self, row: InputRow) -> AbstractContextManager[None]:
        """Holds what the bytes of a row's picture take.

        Raises:
            RowError: the row has no file that can be read.
        """
        # The bytes of a row that has no file are in memory already: the queue counts them.
        if row.data is not None or (size := encoded_size(row)) < _SMALL_FILE:
            return nullcontext()
        return self._bytes.taking(size)

    def opening(self, picture: PictureFile) -> AbstractContextManager[None]:
        """Holds what the pixels of a picture take."""
        return self._pixels.taking(picture.pixels)


class Thumbnails(Protocol):
    """Takes thumbnails. Every method may be called by any thread."""

    def wants(self, row: int) -> bool:
        """Whether the picture of a row, by its position in the source, is to have one."""
        ...

    def stored(self, digest: bytes) -> bytes | None:
        """The one that is stored for the sha256 of a picture."""
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
        stored_scores: gives the scores, (T,) float32, that are stored for the sha256 of a picture, or None.
        stage: brings a picture to where the output is built; what it returns stays with the row. Called by any thread.
        on_model_needed: called when a picture needs the model, from any thread, often.
        with_facts: whether a picture that is decoded comes with its facts, where the config has it upright.
        thumbnails: takes the pictures' thumbnails; None = none are made.
    """

    def __init__(
        self,
        rows: Iterable[InputRow],
        config: CaptionConfig,
        spec: InputSpec,
        *,
        stored_scores: Callable[[bytes], FloatArray | None],
        stage: Callable[[InputRow, PictureToSave], Any],
        on_model_needed: Callable[[], None],
        with_facts: bool,
        thumbnails: Thumbnails | None = None,
    ) -> None:
        self._config = config
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
        decoded = [self._decode(row) for row in rows]
        self._group_size = _GROUP if all(row.from_scores for row in decoded) else 1
        return decoded

    def _decode(self, row: InputRow) -> DecodedRow:
        """A row that is ready for the model, has its scores, or has failed."""
        decoded = DecodedRow(row)
        try:
            with self._limits.reading(row):
                self._read_and_stage(decoded)
        except RowError as error:
            decoded.result.error = error.without_frames()
        except MemoryError:
            decoded.result.error = ImageTooLargeError("there is not enough memory to open it")
        if decoded.result.error is not None:
            decoded.pixels = None
        if row.data is not None:
            decoded.input = replace(row, data=None)  # they have a place now; what waits must not hold them too
        return decoded

    def _read_and_stage(self, decoded: DecodedRow) -> None:
        data = read_picture(decoded.input)
        decoded.digest, decoded.size = hashlib.sha256(data).digest(), len(data)
        decoded.result.scores = self._stored_scores(decoded.digest)
        decoded.from_scores = decoded.result.scores is not None
        picture = self._picture(decoded, data)
        decoded.staged = self._stage(decoded.input, picture)
        self._take_thumbnail(decoded, data)

    def _take_thumbnail(self, decoded: DecodedRow, data: bytes) -> None:
        """Hands on the picture's thumbnail: the one made of its pixels, the stored one, or one made for itself."""
        thumbnails, row = self._thumbnails, decoded.input.index
        if thumbnails is None or not thumbnails.wants(row):
            return
        made = decoded.thumbnail
        found = made or thumbnails.stored(decoded.digest)
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
                    decoded.pixels = pixels(image, self._spec, profile=config.profile, image_size=config.image_size)
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


def _bytes_in_memory(rows: Sequence[InputRow] | Sequence[DecodedRow]) -> int:
    """Bytes of encoded pictures that rows hold. Decoded rows hold none, and mostly rows name files."""
    return sum(len(row.data) for row in rows if isinstance(row, InputRow) and row.data is not None)
