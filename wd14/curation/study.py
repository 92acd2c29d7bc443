"""A dataset as a whole, from its pictures' scores: how frequent each tag is, by itself and against what is usual.

A million pictures of 30 tags take about 250 MB and 10 seconds beside the scoring.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from wd14.curation.even_sample import EvenSample
from wd14.curation.people import OnePerson
from wd14.spelling import folded
from wd14.types import FloatArray, IndexArray, Labels

#: Share of `1girl` among the pictures that SmilingWolf's v3 taggers learned from: 5,113,288 (the count in their label
#: file) of about 7,220,105. The number of pictures behind another label file is estimated with it.
SHARE_OF_1GIRL = 0.7082
#: Most pictures whose scores a study keeps.
MOST_SAMPLES = 16
#: Bytes of a digest that are kept, and read as one number.
_DIGEST_BYTES = 8
#: Scores are added up as whole numbers of 2**-24: such sums depend on no order, so studies can be put together.
_UNIT = np.float32(1 << 24)
#: So many of them fit into 32 bits; then they are added to the 64-bit ones.
_SUMMED_IN_32_BITS = 64
#: Pictures that are looked at in one step, so that what is worked out on the way stays small.
_BLOCK = 65_536

V = TypeVar("V", bound=np.generic)


@dataclass(frozen=True, eq=False, slots=True)
class Sample:
    """A picture whose scores are kept whole, to show a caption before and after."""

    name: str
    scores: FloatArray  #: (T,) float32


@dataclass(frozen=True, eq=False, slots=True)
class StudyState:
    """A study of N pictures as arrays, to be kept in a file and put together with others; M tags in all."""

    tags: NDArray[Any]  #: (M,) positions of all rows' tags, behind one another
    lengths: NDArray[Any]  #: (N,) how many each row has
    names: NDArray[np.uint8]  #: the bytes of all names, behind one another
    name_lengths: NDArray[Any]  #: (N,)
    digests: NDArray[np.uint8]  #: (N, 8)
    one_person: NDArray[np.uint8]  #: (N,) 0 or 1
    sums: NDArray[np.int64]  #: (T,) scores over the pictures of one person, in 2**-24
    samples: tuple[Sample, ...]


class Study:
    """Collects pictures one at a time, and answers questions about all of them at any time.

    Positions of tags are those of the labels, rows are pictures in the order in which they were added.

    Args:
        labels: the model's T tags.
    """

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self._sample = EvenSample[Sample](MOST_SAMPLES)
        self._is_one_person = OnePerson(labels)
        self._tags = array("H" if len(labels) <= 0x10000 else "I")
        self._ends = array("q")
        self._names = bytearray()
        self._name_ends = array("q")
        self._digests = bytearray()
        self._one_person = bytearray()
        self._counts = np.zeros(len(labels), np.int64)
        self._recent_sums = np.zeros(len(labels), np.int32)
        self._recent = 0
        self._older_sums = np.zeros(len(labels), np.int64)
        self._people = 0
        self._known: list[int] = []

    def add(self, kept: IndexArray, scores: FloatArray, *, name: str, digest: bytes) -> None:
        """Takes in a picture that has scores; about 10 microseconds.

        Args:
            kept: positions of the tags at or above their thresholds, each once; no ratings.
            scores: (T,) float32.
            name: how a person finds the picture.
            digest: sha256 of the encoded picture.
        """
        self._sample.add(lambda: Sample(name, scores.copy()))
        self._counts[kept] += 1
        self._tags.frombytes(kept.astype(self._tags.typecode).tobytes())
        self._ends.append(len(self._tags))
        self._names += name.encode("utf-8", "surrogatepass")  # a file's name can be no UTF-8
        self._name_ends.append(len(self._names))
        self._digests += digest[:_DIGEST_BYTES].ljust(_DIGEST_BYTES, b"\0")
        one_person = self._is_one_person(kept)
        self._one_person.append(one_person)
        if one_person:
            self._people += 1
            self._recent_sums += (scores * _UNIT).astype(np.int32)
            self._recent += 1
            if self._recent == _SUMMED_IN_32_BITS:
                self._older_sums += self._recent_sums
                self._recent_sums[:] = 0
                self._recent = 0

    def state(self) -> StudyState:
        """All that `extend` needs to put these pictures behind those of another study."""
        return StudyState(
            tags=np.array(self._tags),
            lengths=np.diff(np.array(self._ends), prepend=0),
            names=np.frombuffer(bytes(self._names), np.uint8),
            name_lengths=np.diff(np.array(self._name_ends), prepend=0),
            digests=np.frombuffer(bytes(self._digests), np.uint8).reshape(-1, _DIGEST_BYTES),
            one_person=np.frombuffer(bytes(self._one_person), np.uint8),
            sums=self._older_sums + self._recent_sums,
            samples=tuple(self.samples),
        )

    def extend(self, state: StudyState) -> None:
        """Takes in the pictures of another study, as if they were added one by one; a second for 10^6.

        Only `samples` can be others: they are chosen from the samples of the other study.

        Raises:
            ValueError: the parts of the state do not fit together, or not these labels.
        """
        tags, lengths, name_lengths, number = state.tags, state.lengths, state.name_lengths, len(state.lengths)
        fits = (
            len(name_lengths) == len(state.one_person) == number
            and state.digests.shape == (number, _DIGEST_BYTES)
            and state.sums.shape == self._counts.shape
            and int(tags.max(initial=0)) < max(1, len(self._counts))
            and min(lengths.min(initial=0), name_lengths.min(initial=0)) >= 0
            and (int(lengths.sum()), int(name_lengths.sum())) == (len(tags), len(state.names))
        )
        if not fits:
            raise ValueError("the parts of a study's state do not fit together")
        self._ends.frombytes((len(self._tags) + np.cumsum(lengths, dtype=np.int64)).tobytes())
        self._tags.frombytes(tags.astype(self._tags.typecode).tobytes())
        self._name_ends.frombytes((len(self._names) + np.cumsum(name_lengths, dtype=np.int64)).tobytes())
        self._names += state.names.tobytes()
        self._digests += state.digests.tobytes()
        self._one_person += state.one_person.tobytes()
        self._counts += np.bincount(tags, minlength=len(self._counts))
        self._older_sums += state.sums
        self._people += int(np.count_nonzero(state.one_person))
        for sample in state.samples:
            self._add_sample(sample)

    def _add_sample(self, sample: Sample) -> None:
        self._sample.add(lambda: sample)

    def know(self, digests: Iterable[int]) -> None:
        """Says that the dataset has these pictures too, where the study is of a part of it: for `holds`."""
        self._known += digests

    @property
    def samples(self) -> list[Sample]:
        """At most `MOST_SAMPLES` pictures, evenly spread over the rows; the first row is always one."""
        return self._sample.items

    @property
    def pictures(self) -> int:
        """How many were added."""
        return len(self._ends)

    @property
    def pictures_of_one_person(self) -> int:
        """How many of them show one person; see `OnePerson`."""
        return self._people

    @property
    def counts(self) -> NDArray[np.int64]:
        """Pictures with each tag, (T,)."""
        return self._counts.copy()

    @property
    def frequency(self) -> NDArray[np.float64]:
        """Share of the pictures with each tag, 0..1, (T,)."""
        return self._counts / max(1, self.pictures)

    @property
    def soft_frequency(self) -> NDArray[np.float64]:
        """Mean score of each tag over the pictures of one person, (T,); 0 where there are none.

        It knows no threshold: a tag that is always just below its threshold has a frequency of 0 and a high mean.
        """
        sums = self._older_sums + self._recent_sums
        return sums / (float(_UNIT) * max(1, self._people))

    @property
    def lift(self) -> NDArray[np.float64]:
        """How many times as frequent each tag is as on the site that the model learned from, (T,).

        NaN where the label file has no count for the tag, or none for `1girl`.
        """
        usual = usual_frequency(self.labels)
        lift: NDArray[np.float64] = np.full(len(usual), np.nan)
        np.divide(self.frequency, usual, out=lift, where=usual > 0)
        return lift

    @property
    def one_person(self) -> NDArray[np.bool_]:
        """For each row, whether it shows one person."""
        return np.array(self._one_person, np.bool_) if self._one_person else np.zeros(0, np.bool_)

    def rows(self, tag: int) -> IndexArray:
        """The rows with a tag, ascending."""
        return np.flatnonzero(self.having([tag]))

    def co_occurrence(self, one: int, other: int) -> int:
        """How many pictures have both tags."""
        return int(np.count_nonzero(self.having([one]) & self.having([other])))

    def having(self, tags: Iterable[int]) -> NDArray[np.bool_]:
        """For each row, whether it has any of the tags."""
        wanted = np.zeros(len(self.labels), np.bool_)
        wanted[list(tags)] = True
        return self.combined(wanted)

    def combined(self, values: NDArray[V]) -> NDArray[V]:
        """For each row the values of its tags, or-ed; 0 for a row without tags. A second for 10^6 rows.

        Args:
            values: a bool or an unsigned number for each tag, (T,).
        """
        found = np.zeros(self.pictures, values.dtype)
        for first, tags, lengths in self._blocks():
            filled = np.flatnonzero(lengths)
            if filled.size:
                starts = (np.cumsum(lengths) - lengths)[filled]
                found[first + filled] = np.bitwise_or.reduceat(values[tags], starts)
        return found

    def counts_among(self, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Pictures with each tag, (T,), among the rows that are True."""
        counts = np.zeros(len(self.labels), np.int64)
        for first, tags, lengths in self._blocks():
            own = tags[np.repeat(rows[first : first + len(lengths)], lengths)]
            counts += np.bincount(own, minlength=len(self.labels))
        return counts

    def kept(self, row: int) -> IndexArray:
        """Positions of a picture's tags, as they were added."""
        start = self._ends[row - 1] if row else 0
        return np.array(self._tags[start : self._ends[row]], np.intp)

    def name(self, row: int) -> str:
        """The name of a picture."""
        start = self._name_ends[row - 1] if row else 0
        return self._names[start : self._name_ends[row]].decode("utf-8", "surrogatepass")

    def smallest_digests(self, number: int) -> list[str]:
        """The beginnings of the smallest digests, 16 hex digits each: a sample that does not depend on the order."""
        return [f"{value:016x}" for value in np.unique(self._digest_numbers())[:number].tolist()]

    def holds(self, digests: Iterable[str]) -> int:
        """How many of these beginnings of digests, 16 hex digits each, a picture of the dataset has."""
        wanted = np.array([int(digest, 16) for digest in digests], np.uint64)
        there = np.isin(wanted, self._digest_numbers()) | np.isin(wanted, np.array(self._known, np.uint64))
        return int(there.sum())

    def _digest_numbers(self) -> NDArray[Any]:
        return np.frombuffer(bytes(self._digests), ">u8").astype(np.uint64)

    def _blocks(self) -> Iterator[tuple[int, NDArray[Any], IndexArray]]:
        """First row, the tags of all rows behind one another, how many each row has; for `_BLOCK` rows at a time."""
        for first in range(0, self.pictures, _BLOCK):
            ends = np.array(self._ends[first : first + _BLOCK], np.intp)
            start = self._ends[first - 1] if first else 0
            yield first, np.array(self._tags[start : int(ends[-1])]), np.diff(ends, prepend=start)


def usual_frequency(labels: Labels) -> NDArray[np.float64]:
    """Share of the pictures with each tag on the site that the model learned from, (T,); 0 where it is not known."""
    counts = np.array(labels.counts or [0] * len(labels), np.float64)
    girls = [count for name, count in zip(labels.names, counts, strict=True) if folded(name) == "1girl"]
    return counts * (SHARE_OF_1GIRL / girls[0]) if girls and girls[0] > 0 else np.zeros(len(labels))
