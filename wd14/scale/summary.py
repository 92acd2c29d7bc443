"""The numbers of a shard: tag counts and digests of all its rows, and the study of some of them.

It is an npz file without compression, so its bytes do not depend on a library for that: about 1 MB for 10,000 rows that
are all studied, 130 KB and more where every hundredth is.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wd14.curation.study import Sample, Study, StudyState
from wd14.errors import ScaleError
from wd14.places import Place
from wd14.types import FloatArray, IndexArray, Labels

_VERSION = 1
_DIGEST_BYTES = 8


class SummaryWriter:
    """Takes the rows of a shard, each once and in order; about 10 microseconds a row that is studied.

    Args:
        labels: the model's T tags.
        study_every: of so many rows of the run one is studied.
        first_row: the number of the shard's first row in the run.
    """

    def __init__(self, labels: Labels, study_every: int, first_row: int) -> None:
        self._study = Study(labels)
        self._every = study_every
        self._row = first_row
        self._pictures = 0
        self._others = np.zeros(len(labels), np.int64)  # counts of the pictures that are not studied
        self._digests = bytearray()

    def add(self, kept: IndexArray, scores: FloatArray, *, name: str, digest: bytes) -> None:
        """Takes a row that has scores and is not rejected.

        Args:
            kept: positions of the tags at or above their thresholds, each once; no ratings.
            scores: (T,) float32.
            name: the row's id.
            digest: sha256 of the encoded picture.
        """
        if self._row % self._every == 0:
            self._study.add(kept, scores, name=name, digest=digest)
        else:
            self._others[kept] += 1
        self._pictures += 1
        self.skip(digest)

    def skip(self, digest: bytes) -> None:
        """Takes a row that failed or is rejected.

        Args:
            digest: sha256 of the encoded picture; empty where it could not be read.
        """
        self._row += 1
        self._digests += digest[:_DIGEST_BYTES].ljust(_DIGEST_BYTES, b"\0")

    def to_bytes(self) -> bytes:
        """The file; the same bytes for the same rows."""
        state = self._study.state()
        sample_tags = [np.flatnonzero(sample.scores) for sample in state.samples]
        sample_scores = [sample.scores[tags] for sample, tags in zip(state.samples, sample_tags, strict=True)]
        names = [sample.name.encode("utf-8", "surrogatepass") for sample in state.samples]
        wide = "<u2" if len(self._others) <= 0x10000 else "<u4"
        arrays: dict[str, tuple[Any, str]] = {
            "about": ([_VERSION, len(self._others), self._pictures], "<i8"),
            "digests": (np.frombuffer(bytes(self._digests), ">u8"), "<u8"),
            **_sparse("counts", self._study.counts + self._others),
            **_sparse("sums", state.sums),
            "tags": (state.tags, wide),
            "lengths": (state.lengths, "<u4"),
            "names": (state.names, "u1"),
            "name_lengths": (state.name_lengths, "<u4"),
            "studied_digests": (state.digests, "u1"),
            "one_person": (state.one_person, "u1"),
            "sample_tags": (_joined(sample_tags), wide),
            "sample_scores": (_joined(sample_scores), "<f4"),
            "sample_lengths": ([len(tags) for tags in sample_tags], "<u4"),
            "sample_names": (np.frombuffer(b"".join(names), np.uint8), "u1"),
            "sample_name_lengths": ([len(name) for name in names], "<u4"),
        }
        return _npz({name: np.asarray(values).astype(kind) for name, (values, kind) in arrays.items()})

    def write(self, place: Place) -> str:
        """Writes the file; returns its sha256, for the shard's marker.

        Raises:
            PlaceError: it cannot be written.
        """
        data = self.to_bytes()
        place.write(data)
        return hashlib.sha256(data).hexdigest()


class ShardSummary:
    """The numbers of a shard, read where they are asked for.

    Attributes:
        pictures: rows with scores that are not rejected.

    Args:
        data: as `SummaryWriter.to_bytes` gave it.
        place: names the file in messages.

    Raises:
        ScaleError: it is no such file.
    """

    def __init__(self, data: bytes, place: str = "a summary") -> None:
        self._place = place
        try:
            self._file: Mapping[str, Any] = np.load(io.BytesIO(data), allow_pickle=False)
            version, self._tags, self.pictures = map(int, self._array("about"))
        except (ValueError, OSError, EOFError, TypeError, zipfile.BadZipFile) as error:
            raise self._damaged(error) from error
        if version != _VERSION:
            raise ScaleError(f"{place} is of version {version}; this program reads version {_VERSION}")

    @property
    def digests(self) -> NDArray[np.uint64]:
        """(rows,) The beginnings of the sha256 of all rows' pictures, in order; 0 = not read."""
        return self._array("digests").astype(np.uint64)

    @property
    def counts(self) -> NDArray[np.int64]:
        """(T,) Pictures with each tag at or above its threshold, over all rows."""
        return self._dense("counts")

    def state(self) -> StudyState:
        """The study of those rows that are studied."""
        tags, scores, names = (self._array(f"sample_{each}") for each in ("tags", "scores", "names"))
        ends = np.cumsum(self._array("sample_lengths"), dtype=np.intp)[:-1]
        name_ends = np.cumsum(self._array("sample_name_lengths"), dtype=np.intp)[:-1]
        number = len(self._array("sample_lengths"))
        samples = zip(*(np.split(each, ends) for each in (tags, scores)), np.split(names, name_ends), strict=True)
        return StudyState(
            tags=self._array("tags"),
            lengths=self._array("lengths").astype(np.int64),
            names=self._array("names"),
            name_lengths=self._array("name_lengths").astype(np.int64),
            digests=self._array("studied_digests"),
            one_person=self._array("one_person"),
            sums=self._dense("sums"),
            samples=tuple(self._sample(*each) for each in samples) if number else (),
        )

    def extend(self, study: Study) -> None:
        """Puts the rows that are studied behind those of a study.

        Raises:
            ScaleError: the summary is damaged, or of a model with other tags.
        """
        if self._tags != len(study.labels):
            raise ScaleError(
                f"{self._place} is of a model with {self._tags:,} tags; this one has {len(study.labels):,}"
            )
        try:
            study.extend(self.state())
        except (ValueError, IndexError) as error:
            raise self._damaged(error) from error

    def _sample(self, tags: NDArray[Any], scores: FloatArray, name: NDArray[np.uint8]) -> Sample:
        dense = np.zeros(self._tags, np.float32)
        dense[tags] = scores
        return Sample(name.tobytes().decode("utf-8", "surrogatepass"), dense)

    def _dense(self, name: str) -> NDArray[np.int64]:
        dense = np.zeros(self._tags, np.int64)
        dense[self._array(f"{name}_tags")] = self._array(name)
        return dense

    def _array(self, name: str) -> NDArray[Any]:
        try:
            array: NDArray[Any] = self._file[name]
        except (KeyError, ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
            raise self._damaged(error) from error
        return array

    def _damaged(self, error: Exception) -> ScaleError:
        return ScaleError(f"{self._place} is damaged ({error}): remove it, and run again")


def read_summary(data: bytes, place: str = "a summary") -> ShardSummary:
    """The numbers of a shard.

    Args:
        data: the file.
        place: names it in messages.

    Raises:
        ScaleError: it is no summary.
    """
    return ShardSummary(data, place)


def merged_study(summaries: Iterable[ShardSummary], labels: Labels, *, wanted: Collection[int] = ()) -> Study:
    """The study of all shards: the one that all studied rows, added one by one in this order, would give.

    A million rows of 30 tags take about 250 MB.

    Args:
        summaries: of all shards, in order.
        labels: the model's tags.
        wanted: digests of which the study is to know whether any row has them, also one that is not studied.

    Raises:
        ScaleError: a summary is damaged, or of a model with other tags.
    """
    study = Study(labels)
    looked_for = np.array(list(wanted), np.uint64)
    for summary in summaries:
        summary.extend(study)
        if looked_for.size:
            found = np.isin(looked_for, summary.digests)
            study.know(looked_for[found].tolist())
            looked_for = looked_for[~found]
    return study


def _sparse(name: str, values: NDArray[np.int64]) -> dict[str, tuple[Any, str]]:
    where = np.flatnonzero(values)
    return {f"{name}_tags": (where, "<u4"), name: (values[where], "<i8")}


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """As `numpy.savez`, with nothing in it that depends on the time or the system."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)
            about = zipfile.ZipInfo(f"{name}.npy")  # of 1980
            about.create_system = 3
            archive.writestr(about, member.getvalue())
    return file.getvalue()
