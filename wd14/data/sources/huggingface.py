"""A dataset of the Hugging Face hub, streamed: only what is read is fetched, and none of its code is run."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from wd14.data.sources.base import Column, Layout, RawRow
from wd14.data.sources.splits import in_usual_order
from wd14.data.sources.values import excerpt
from wd14.errors import (
    ImageTooLargeError,
    MissingImageError,
    RowError,
    SourceError,
    SourceNotFoundError,
    UnreadableImageError,
)
from wd14.hub_answers import check_answers
from wd14.text import printable
from wd14.threads import OrderedMap

#: owner/name, then @revision and :configuration if wanted. A name without owner is more likely a misspelt folder.
_ID = re.compile(
    r"(?P<owner>[\w][\w.-]*)/(?P<name>[\w][\w.-]*)(?:@(?P<revision>[\w][\w./-]*))?(?::(?P<config>[\w][\w. -]*))?",
    re.ASCII,
)
#: Protocols that a picture's URL may consist of. Not `file`: a dataset must not name files of this machine.
_PROTOCOLS = frozenset({"hf", "zip", "tar"})
#: Bytes of a picture that is fetched over the network: several are in memory at once.
_LARGEST_FETCHED = 256 << 20
#: Pictures that are fetched at once where each is a file of its own.
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
        """The id in `owner/name` or `owner/name@revision:configuration`; None when the text cannot be one."""
        match = _ID.fullmatch(text)
        if match is None or ".." in text or "--" in match["name"]:
            return None
        return cls(f"{match['owner']}/{match['name']}", match["revision"], match["config"])


class HubDataset(Layout):
    """The rows of a dataset on the hub, in its own order.

    Raises:
        SourceNotFoundError: the hub does not have it, or cannot be reached.
        SourceError: it cannot be read.
    """

    def __init__(self, hub_id: HubId) -> None:
        self._repo = hub_id.repo
        self._streams = _open_streams(hub_id)
        self.splits = in_usual_order({str(split): _row_count(stream) for split, stream in self._streams.items()})
        self.columns = _columns(next(iter(self._streams.values())))

    def rows(self, splits: Collection[str], columns: Collection[str]) -> Iterator[RawRow]:
        """The rows, fetched a few ahead.

        Raises:
            SourceError: the connection failed for good; the rows before come first.
        """
        fetched = OrderedMap(
            _fetch_row,
            self._stream_rows(splits, columns),
            workers=_FETCHERS,
            window=2 * _FETCHERS,
            name="wd14-hub",
            weigh=_fetched_bytes,
            most_bytes=_LARGEST_FETCHED,
        )
        try:
            yield from fetched
        finally:
            fetched.close()

    def _stream_rows(self, splits: Collection[str], columns: Collection[str]) -> Iterator[RawRow]:
        for split in splits:
            number = 0
            try:
                for values in _undecoded(self._streams[split], columns):
                    yield RawRow(f"{self._repo} {printable(split)} row {number}", values, split=split)
                    number += 1
            except _library_errors() as error:
                raise SourceError(
                    f"{self._repo} cannot be read from row {number} of {printable(split)} on: {_reason(error)}"
                ) from error


def _open_streams(hub_id: HubId) -> dict[str, Any]:
    import datasets

    check_answers()
    options: dict[str, Any] = {"revision": hub_id.revision, "streaming": True}
    if "trust_remote_code" in inspect.signature(datasets.load_dataset).parameters:
        options["trust_remote_code"] = False  # before datasets 4, leaving it out asks on the terminal
    try:
        return dict(datasets.load_dataset(hub_id.repo, hub_id.config, **options))
    except (FileNotFoundError, ConnectionError) as error:  # DatasetNotFoundError and OfflineModeIsEnabled among them
        raise SourceNotFoundError(
            f"the hub's dataset {hub_id.repo} was not found or could not be reached: {_reason(error)}"
        ) from error
    except _library_errors() as error:
        raise SourceError(f"the hub's dataset {hub_id.repo} cannot be read: {_reason(error)}") from error


def _library_errors() -> tuple[type[Exception], ...]:
    """What the hub's client and the readers behind it raise for bad data, answers and connections."""
    import huggingface_hub.errors
    import pyarrow as pa

    http = huggingface_hub.errors.HfHubHTTPError
    return (OSError, ValueError, RuntimeError, KeyError, TypeError, http, pa.ArrowException)


def _reason(error: Exception) -> str:
    return printable(" ".join(str(error).split())[:400]) or type(error).__name__


def _row_count(stream: Any) -> int | None:
    splits = getattr(stream.info, "splits", None) or {}
    split = splits.get(str(stream.split))
    return (split.num_examples or None) if split is not None else None


def _columns(stream: Any) -> tuple[Column, ...]:
    if stream.features is not None:
        return tuple(_column(name, feature) for name, feature in stream.features.items())
    try:
        first: dict[str, Any] = next(iter(stream.take(1)), {})
    except _library_errors() as error:
        raise SourceError(f"the dataset cannot be read: {_reason(error)}") from error
    return tuple(Column(str(name)) for name in first)


def _column(name: str, feature: Any) -> Column:
    import datasets

    if isinstance(feature, datasets.Image):
        return Column(name, "Image", can_be_json=False)
    kind = str(getattr(feature, "dtype", "")) or type(feature).__name__
    may_be_picture = isinstance(feature, datasets.Value) and kind.removeprefix("large_") in ("binary", "string")
    return Column(name, kind, can_hold_images=may_be_picture, can_be_json=_can_be_json(feature))


def _can_be_json(feature: Any) -> bool:
    import datasets

    if isinstance(feature, datasets.Value):
        return "binary" not in feature.dtype
    if isinstance(feature, (dict, list)):
        return all(map(_can_be_json, feature.values() if isinstance(feature, dict) else feature))
    inner = getattr(feature, "feature", None)
    return _can_be_json(inner) if inner is not None else isinstance(feature, datasets.ClassLabel)


def _undecoded(stream: Any, columns: Collection[str]) -> Any:
    """The stream with only some columns, and with pictures as their bytes."""
    if stream.features is None:
        return stream
    return stream.decode(False).select_columns([name for name in stream.features if name in columns])


def _fetch_row(row: RawRow) -> RawRow:
    """The row with the bytes of pictures that are files of their own."""
    values, error = dict(row.values), None
    try:
        for name, value in row.values.items():
            if isinstance(value, Mapping) and value.get("bytes") is None and isinstance(value.get("path"), str):
                values[name] = {"bytes": _fetch(value["path"]), "path": value["path"]}
    except RowError as problem:
        error = problem.without_frames()
    return replace(row, values=values, error=error)


def _fetched_bytes(row: RawRow) -> int:
    """Bytes of the pictures that a row holds."""
    pictures = (value.get("bytes") for value in row.values.values() if isinstance(value, Mapping))
    return sum(len(data) for data in pictures if isinstance(data, bytes))


def _fetch(url: str) -> bytes:
    """A file on the hub: `hf://…`, or one in an archive there: `zip://a.png::hf://…`.

    Raises:
        RowError: the URL leads elsewhere, or the file cannot be read.
    """
    import fsspec

    protocols = [part.partition("://")[0] for part in url.split("::")]
    if "://" not in url or not _PROTOCOLS.issuperset(protocols) or protocols[-1] != "hf":
        raise UnreadableImageError(f"{excerpt(url)} is not a file of the dataset")
    try:
        with fsspec.open(url, "rb") as file:
            _check_size(getattr(file, "size", None))
            data: bytes = file.read(_LARGEST_FETCHED + 1)
            _check_size(len(data))
    except RowError:
        raise
    except FileNotFoundError as error:
        raise MissingImageError(f"{excerpt(url)} is not on the hub") from error
    except MemoryError as error:
        raise ImageTooLargeError("there is not enough memory to fetch it") from error
    except Exception as error:
        raise UnreadableImageError(f"{excerpt(url)} cannot be fetched: {_reason(error)}") from error
    return data


def _check_size(size: object) -> None:
    if isinstance(size, int) and size > _LARGEST_FETCHED:
        raise ImageTooLargeError(f"{size:,} bytes, over the limit of {_LARGEST_FETCHED:,} for what is fetched")
