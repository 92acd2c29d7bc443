"""From a row as its source has it to a InputRow: the one place where cells are judged."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from wd14.data.output_names import safe_name
from wd14.data.sources.base import IMAGE_COLUMN, RawRow
from wd14.data.sources.confinement import Confinement
from wd14.errors import MissingImageError, NotAnImageError, RowError, UnreadableImageError
from wd14.images.formats import is_picture, sniff_extension
from wd14.text import printable
from wd14.types import InputRow

#: Columns that people keep captions in, the usual ones first.
CAPTION_COLUMNS = ("caption", "text", "captions", "prompt", "description", "tags", "tag_string")

#: No caption file is longer; what is, is some other file.
_LARGEST_CAPTION_FILE = 1 << 20


class InputRowMaker:
    """Makes InputRows of Records.

    Args:
        confinement: which files may be opened; None = rows of this source name no files.
        image: the column of the picture.
        caption: the column of existing captions; None = there is none.
        caption_ending: ending of caption files beside pictures; None = existing captions are not asked for.
        separator: what joins a caption that is kept as a list of tags.
        kept: columns to carry along.
    """

    def __init__(
        self,
        confinement: Confinement | None,
        *,
        image: str,
        caption: str | None,
        caption_ending: str | None,
        separator: str,
        kept: Collection[str],
    ) -> None:
        self._confinement = confinement
        self._image = image
        self._caption = caption
        self._caption_ending = caption_ending
        self._separator = separator
        self._kept = tuple(kept)

    def sample(self, index: int, record: RawRow) -> InputRow:
        """The InputRow of a row; what is wrong with the row is its `error`."""
        path: Path | None = None
        data: bytes | None = None
        caption: str | None = None
        columns: dict[str, Any] = {}
        error = record.error
        if error is None:
            try:
                path, data = self._picture(record)
                caption = self._existing_caption(record, path)
                columns = {name: as_json(record.values[name]) for name in self._kept if name in record.values}
            except RowError as problem:
                path, data, error = None, None, problem
        return InputRow(
            index=index,
            name=self._name(index, record, data),
            source=record.where,
            path=path,
            data=data,
            error=error,
            caption=caption,
            columns=columns,
        )

    def _picture(self, record: RawRow) -> tuple[Path | None, bytes | None]:
        cell = record.values.get(self._image)
        if isinstance(cell, Mapping):
            data = cell.get("bytes")
            cell = cell.get("path") if data is None else data
        if isinstance(cell, Path):
            return cell, None
        if isinstance(cell, RowError):
            raise cell
        if isinstance(cell, (bytes, bytearray, memoryview)):
            return None, bytes(cell)
        if cell is None or cell == "":
            hint = " (file_name in a metadata file)" if self._image == IMAGE_COLUMN else ""
            raise MissingImageError(f"the row has no {printable(self._image)}{hint}")
        if not isinstance(cell, str):
            raise NotAnImageError(f"the column {printable(self._image)} holds {type(cell).__name__}, not a picture")
        if self._confinement is None or record.folder is None:
            raise UnreadableImageError(f"{printable(cell[:200])} is a path; this source has no files beside its rows")
        return self._confinement.named_file(cell, record.folder, may_be_absolute=record.may_be_absolute), None

    def _name(self, index: int, record: RawRow, data: bytes | None) -> str:
        cell = record.values.get(self._image)
        if isinstance(cell, Mapping):
            cell = cell.get("path")
        told = record.name or (str(cell) if isinstance(cell, (str, Path)) else "")
        if "://" in told:
            told = told.partition("::")[0].partition("?")[0]
        name = safe_name(told)
        if not name:
            return f"{index:06d}{sniff_extension(data or b'')}"
        if data is not None and not is_picture(name):
            return name + sniff_extension(data)
        return name

    def _existing_caption(self, record: RawRow, path: Path | None) -> str | None:
        if self._caption_ending is None:
            return None
        value = record.values.get(self._caption) if self._caption is not None else None
        text = self._caption_text(value)
        if text is None and path is not None:
            text = self._caption_file(path)
        return text

    def _caption_text(self, value: Any) -> str | None:
        if isinstance(value, (list, tuple)):
            texts = [item for item in value if isinstance(item, str)]
            # A list of captions says the same several times, a list of tags is one caption.
            one = texts[:1] if self._caption in ("caption", "captions", "text") else texts
            value = self._separator.join(one)
        if not isinstance(value, str):
            return None
        return _encodable(value).strip() or None

    def _caption_file(self, picture: Path) -> str | None:
        """The text beside a picture.

        Raises:
            UnreadableImageError: there is one and it cannot be read, so that appending would lose it.
        """
        if self._confinement is None or not self._caption_ending:
            return None
        stem, _ = os.path.splitext(picture)  # noqa: PTH122 - Path.with_suffix refuses names such as "a."
        beside = stem + self._caption_ending
        if not os.path.lexists(beside):
            return None
        name = printable(os.path.basename(beside))  # noqa: PTH119
        try:
            path = self._confinement.walked_link(beside)
            if path.stat().st_size > _LARGEST_CAPTION_FILE:
                raise UnreadableImageError("it is over 1 MiB")
            return decode_text(path.read_bytes()).strip() or None
        except OSError as error:
            raise UnreadableImageError(f"its caption file {name} cannot be read: {error.strerror}") from error
        except (RowError, UnicodeDecodeError) as error:
            raise UnreadableImageError(f"its caption file {name} cannot be read: {error}") from error


def decode_text(data: bytes) -> str:
    """Text of a file as people save it: UTF-8, with or without its mark, or UTF-16 with one.

    Raises:
        UnicodeDecodeError: it is none of these.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    return data.decode("utf-8-sig")


def as_json(value: Any) -> Any:
    """A cell as something that JSON can hold: dates as ISO text, not-a-number as null, others as their text."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return _encodable(value)
    if isinstance(value, Mapping):
        return {_encodable(str(key)): as_json(item) for key, item in value.items() if not _is_binary(item)}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if _is_binary(value):
        return None
    return _encodable(str(value))


def _is_binary(value: Any) -> bool:
    return isinstance(value, (bytes, bytearray, memoryview))


def _encodable(text: str) -> str:
    """`text` without lone surrogates, which no UTF-8 file can hold."""
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text
