"""A picture's scores as the score store keeps them: which of them, and in what bytes."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wd14.errors import ScoringError
from wd14.types import SCORE_FLOOR, FloatArray, Labels

_FLOOR32 = np.float32(SCORE_FLOOR)
_CRC_BYTES = 4


def usable_for(lowest_threshold: float) -> bool:
    """Whether stored scores can answer this threshold: below `SCORE_FLOOR` a picture must be scored anew."""
    return bool(np.float32(lowest_threshold) >= _FLOOR32)


def rating_mask(labels: Labels) -> NDArray[np.bool_]:
    """Which of a model's tags are ratings, (T,): their scores are all kept."""
    return np.array([category == "rating" for category in labels.categories], dtype=np.bool_)


def floor(scores: FloatArray, ratings: NDArray[np.bool_]) -> FloatArray:
    """Scores as the store gives them back: zero below `SCORE_FLOOR`, ratings untouched.

    Args:
        scores: (T,) or (N, T) float32.
        ratings: of the model's labels, see `rating_mask`.

    Returns:
        A new array of the same shape.

    Raises:
        ScoringError: a score is not a finite number.
    """
    check(scores, len(ratings))
    return np.where(kept(scores, ratings), scores, np.float32(0))


def kept(scores: FloatArray, ratings: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which scores the store keeps: those at or above `SCORE_FLOOR`, and the ratings."""
    chosen: NDArray[np.bool_] = (scores >= _FLOOR32) | ratings
    return chosen


def check(scores: FloatArray, tags: int) -> None:
    """Raises `ScoringError` unless the last axis holds `tags` finite numbers."""
    if scores.shape[-1:] != (tags,):
        raise ScoringError(f"expected {tags} scores, got {scores.shape[-1] if scores.ndim else 0}")
    if not np.isfinite(scores).all():
        raise ScoringError("the model's scores are not all finite numbers")


# A row's bytes: crc32 of the picture's hash and of the rest; then either all T scores as float32, or, where it is
# shorter, the chosen indices (uint16, or uint32 above 65,536 tags) and their scores. Little endian.
# zlib was measured to save nothing: the low bits of scores are noise.


def _index_type(tags: int) -> np.dtype[Any]:
    return np.dtype("<u2" if tags <= 1 << 16 else "<u4")


def pack(scores: FloatArray, picture: bytes, chosen: NDArray[np.bool_]) -> bytes:
    """The bytes of a row: the chosen ones of (T,) scores, tied to the sha256 of their picture."""
    indices = np.flatnonzero(chosen).astype(_index_type(scores.size))
    values = scores[indices].astype("<f4")
    body: bytes = indices.tobytes() + values.tobytes()
    if len(body) >= 4 * scores.size:
        body = np.where(chosen, scores, np.float32(0)).astype("<f4").tobytes()
    return zlib.crc32(body, zlib.crc32(picture)).to_bytes(_CRC_BYTES, "little") + body


def unpack(packed: bytes, picture: bytes, tags: int) -> FloatArray | None:
    """The dense scores, or None when the bytes are not what was written: the picture is then scored anew."""
    body = packed[_CRC_BYTES:]
    if zlib.crc32(body, zlib.crc32(picture)) != int.from_bytes(packed[:_CRC_BYTES], "little"):
        return None
    if len(body) == 4 * tags:
        return np.frombuffer(body, dtype="<f4").astype(np.float32)
    index_type = _index_type(tags)
    count, rest = divmod(len(body), index_type.itemsize + 4)
    if rest:
        return None
    indices = np.frombuffer(body, dtype=index_type, count=count)
    scores = np.zeros(tags, dtype=np.float32)
    scores[indices] = np.frombuffer(body, dtype="<f4", offset=count * index_type.itemsize)
    return scores
