"""A dataset of the Hugging Face hub, streamed: nothing but what is read is fetched, and no code of its is run."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wd14.data.sources.base import Column, RawRow
from wd14.data.sources.splits import in_usual_order
from wd14.errors import MissingImageError, RowError, SourceError, SourceNotFoundError, UnreadableImageError
from wd14.text import printable
from wd14.threads import OrderedMap

#: owner/name, then @revision and :configuration where wanted. A name alone is more likely a folder's, misspelt.
_ID = re.compile(
    r"(?P<owner>[\w][\w.-]*)/(?P<name>[\w][\w.-]*)(?:@(?P<revision>[\w][\w./-]*))?(?::(?P<config>[\w][\w. -]*))?",
    re.ASCII,
)
#: The protocols that a picture's address may be made of. Not file: a dataset must not name this machine's files.
_REMOTE = frozenset({"hf", "zip", "tar"})
#: Pictures that are fetched at once where each is a file of its own; twice as many rows wait for their turn at most.
_FETCHERS = 8


@dataclass(frozen=True, slots=True)
class HubId:
    """A dataset on the hub."""

    repo: str
    revision: str | None = None
    config: str | None = None

    @property
    def name(self) -> str:
        """The last part of the id."""
        return self.repo.rpartition("/")[2]

    @classmethod
    def parse(cls, text: str) -> HubId | None:
        """The id in `owner/name`, `owner/name@revision:configuration`; None when it can be none."""
        match = _ID.fullmatch(text)
        if match is None or ".." in text or "--" in match["name"]:
            return None
        return cls(f"{match['owner']}/{match['name']}", match["revision"], match["config"])


class HubDataset:
    """The rows of a dataset on the hub, in its own order.

    Raises:
        SourceNotFoundError: the hub does not have it, or cannot be reached.
        SourceError: it is there and cannot be read.
    """

    loose_rows = 0

    def __init__(self, hub_id: HubId) -> None:
        self._datasets = _streams(hub_id)
        counts = {str(split): _row_count(stream) for split, stream in self._datasets.items()}
        self.splits: Mapping[str, int | None] = in_usual_order(counts)
        self.columns: Sequence[Column] = _columns(next(iter(self._datasets.values())))
        self._repo = hub_id.repo

    def rows(self, splits: Collection[str], columns: Collection[str]) -> Iterator[RawRow]:
        """The rows, fetched as they are asked for. A connection that fails for good ends the job with a message."""
        fetched = OrderedMap(
            _raw_row, self._rows(splits, columns), workers=_FETCHERS, window=2 * _FETCHERS, name="wd14-hub"
        )
        try:
            yield from fetched
        finally:
            fetched.close()

    def _rows(self, splits: Collection[str], columns: Collection[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        for split in splits:
            number = 0
            try:
                for row in _undecoded(self._datasets[split], columns):
                    yield f"{self._repo} {printable(split)} row {number}", row
                    number += 1
            except _hub_errors() as error:
                raise SourceError(
                    f"{self._repo} cannot be read on from row {number} of {printable(split)}: {_reason(error)}"
                ) from error


def _streams(hub_id: HubId) -> dict[str, Any]:
    import datasets

    options: dict[str, Any] = {"revision": hub_id.revision, "streaming": True}
    if "trust_remote_code" in inspect.signature(datasets.load_dataset).parameters:
        options["trust_remote_code"] = False  # before datasets 4, none would ask on the terminal
    try:
        found = datasets.load_dataset(hub_id.repo, hub_id.config, **options)
    except (FileNotFoundError, ConnectionError) as error:  # DatasetNotFoundError and OfflineModeIsEnabled among them
        raise SourceNotFoundError(
            f"the hub's dataset {hub_id.repo} was not found or could not be reached: {_reason(error)}"
        ) from error
    except _hub_errors() as error:
        raise SourceError(f"the hub's dataset {hub_id.repo} cannot be read: {_reason(error)}") from error
    return dict(found)


def _hub_errors() -> tuple[type[Exception], ...]:
    """What the client and the readers behind it raise for bad data, answers and connections."""
    import huggingface_hub.errors as hub
    import pyarrow as pa

    return (OSError, ValueError, RuntimeError, KeyError, TypeError, hub.HfHubHTTPError, pa.ArrowException)


def _reason(error: Exception) -> str:
    return printable(" ".join(str(error).split())[:400]) or type(error).__name__


def _row_count(stream: Any) -> int | None:
    told = getattr(stream.info, "splits", None) or {}
    split = told.get(str(stream.split))
    return split.num_examples if split is not None and split.num_examples else None


def _columns(stream: Any) -> tuple[Column, ...]:
    if stream.features is not None:
        return tuple(_column(name, feature) for name, feature in stream.features.items())
    try:
        first: dict[str, Any] = next(iter(stream.take(1)), {})
    except _hub_errors() as error:
        raise SourceError(f"the dataset cannot be read: {_reason(error)}") from error
    return tuple(Column(str(name)) for name in first)


def _column(name: str, feature: Any) -> Column:
    import datasets

    kind = str(getattr(feature, "dtype", "")) or type(feature).__name__
    if isinstance(feature, datasets.Image):
        return Column(name, "Image", can_be_json=False)
    plain = isinstance(feature, datasets.Value)
    return Column(name, kind, can_hold_images=plain and kind in _PICTURE_TYPES, can_be_json=_is_json(feature))


_PICTURE_TYPES = {"binary", "large_binary", "string", "large_string"}


def _is_json(feature: Any) -> bool:
    import datasets

    if isinstance(feature, datasets.Value):
        return "binary" not in feature.dtype
    if isinstance(feature, dict):
        return all(_is_json(inner) for inner in feature.values())
    if isinstance(feature, list):
        return all(_is_json(inner) for inner in feature)
    inner = getattr(feature, "feature", None)
    return _is_json(inner) if inner is not None else isinstance(feature, datasets.ClassLabel)


def _undecoded(stream: Any, columns: Collection[str]) -> Any:
    """The stream with only some columns, and with pictures as their bytes."""
    if stream.features is None:
        return stream
    stream = stream.decode(False)
    return stream.select_columns([name for name in stream.features if name in columns])


def _raw_row(described: tuple[str, Mapping[str, Any]]) -> RawRow:
    where, row = described
    values, error = dict(row), None
    try:
        for name, cell in row.items():
            if isinstance(cell, Mapping) and cell.get("bytes") is None and isinstance(cell.get("path"), str):
                values[name] = {"bytes": _fetched(cell["path"]), "path": cell["path"]}
    except RowError as problem:
        error = problem
    return RawRow(where, values, error)


def _fetched(address: str) -> bytes:
    """The bytes of a picture that has a file of its own on the hub: `hf://…`, `zip://a.png::hf://…`.

    Raises:
        RowError: the address leads elsewhere, or nothing can be read from it.
    """
    import fsspec

    protocols = [part.partition("://")[0] for part in address.split("::")]
    if "://" not in address or not _REMOTE.issuperset(protocols) or protocols[-1] != "hf":
        raise UnreadableImageError(f"{printable(address[:200])} is no file of the dataset")
    try:
        with fsspec.open(address, "rb") as file:
            data: bytes = file.read()
    except FileNotFoundError as error:
        raise MissingImageError(f"{printable(address[:200])} is not on the hub") from error
    except _hub_errors() as error:
        raise UnreadableImageError(f"{printable(address[:200])} cannot be fetched: {_reason(error)}") from error
    return data
