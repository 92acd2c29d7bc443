"""Turns a RawRow into an InputRow: finds its picture, its name and the caption that it came with."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from wd14.data.caption_files import caption_file, caption_in, read_caption_file
from wd14.data.concept_folders import ConceptFolders
from wd14.data.output_names import safe_name
from wd14.data.sources.base import IMAGE_COLUMN, RawRow
from wd14.data.sources.confinement import Confinement
from wd14.data.sources.splits import output_folder
from wd14.data.sources.values import encodable, excerpt, kept_values
from wd14.errors import MissingImageError, NotAnImageError, RowError, UnreadableImageError
from wd14.images.formats import is_picture, sniff_extension
from wd14.text import printable
from wd14.types import InputRow

#: Columns that people keep captions in; the first one that a source has counts.
CAPTION_COLUMNS = ("caption", "text", "captions", "prompt", "description", "tags", "tag_string")


class InputRowMaker:
    """Makes InputRows.

    Args:
        confinement: which files may be opened; None = rows of this source may not name files.
        image: the picture's column.
        caption: the column of existing captions; None = there is none.
        caption_extension: of caption files beside pictures; None = existing captions are not wanted.
        separator: joins a caption that is kept as a list of tags.
        kept: columns to copy into the output.
        in_place: whether the caption file beside a picture will be written; it counts before the column then.
        keep_splits: whether a row goes into the folder of its split, and not into train.
        concepts: the folders of the output below those of splits; None = there are none.
    """

    def __init__(
        self,
        confinement: Confinement | None,
        *,
        image: str,
        caption: str | None,
        caption_extension: str | None,
        separator: str,
        kept: Collection[str],
        keep_splits: bool,
        in_place: bool = False,
        concepts: ConceptFolders | None = None,
    ) -> None:
        self._confinement = confinement
        self._image = image
        self._caption = caption
        self._caption_extension = caption_extension
        self._separator = separator
        self._kept = tuple(kept)
        self._keep_splits = keep_splits
        self._in_place = in_place
        self._concepts = concepts

    def make(self, index: int, raw: RawRow) -> InputRow:
        """The InputRow; what is wrong with the row is its `error`."""
        path: Path | None = None
        data: bytes | None = None
        caption: str | None = None
        columns: dict[str, Any] = {}
        error = raw.error
        if error is None:
            try:
                path, data = self._picture(raw)
                if self._caption_extension is not None:
                    caption = self._existing_caption(raw, path)
                columns = kept_values(raw.values, self._kept)
            except RowError as problem:
                path, data, error = None, None, problem.without_frames()
        name = self._name(index, raw, data)
        if path is not None and self._confinement is not None:
            try:
                path, data = self._confinement.picture(path)
            except RowError as problem:
                path, error = None, problem.without_frames()
                if isinstance(problem, MissingImageError):  # seen above where that costs no request
                    caption, columns = None, {}
        folder = output_folder(raw.split) if self._keep_splits else "train"
        if self._concepts is not None:
            folder = f"{folder}/{self._concepts.of(raw.picture_folder)}"
        return InputRow(index, name, raw.source, path, data, error, caption, columns, folder, raw.key)

    def _picture(self, raw: RawRow) -> tuple[Path | None, bytes | None]:
        """The picture's file, or its bytes."""
        value = raw.values.get(self._image)
        if isinstance(value, Mapping):
            data = value.get("bytes")
            value = value.get("path") if data is None else data
        if isinstance(value, Path):
            return value, None
        if isinstance(value, RowError):
            raise value
        if isinstance(value, (bytes, bytearray, memoryview)):
            return None, bytes(value)
        if value is None or value == "":
            hint = " (file_name in a metadata file)" if self._image == IMAGE_COLUMN else ""
            raise MissingImageError(f"the row has no {printable(self._image)}{hint}")
        if not isinstance(value, str):
            raise NotAnImageError(f"the column {printable(self._image)} holds {type(value).__name__}, not a picture")
        if self._confinement is None or raw.folder is None:
            raise UnreadableImageError(f"{excerpt(value)} is a path; this source has no files beside its rows")
        return self._confinement.named_file(value, raw.folder, may_be_absolute=raw.may_be_absolute), None

    def _name(self, index: int, raw: RawRow, data: bytes | None) -> str:
        value = raw.values.get(self._image)
        if isinstance(value, Mapping):
            value = value.get("path")
        path = raw.name or (str(value) if isinstance(value, (str, Path)) else "")
        if "://" in path:
            path = path.partition("::")[0].partition("?")[0]
        name = safe_name(path)
        if not name:
            return f"{index:06d}{sniff_extension(data or b'')}"
        return name if data is None or is_picture(name) else name + sniff_extension(data)

    def _existing_caption(self, raw: RawRow, picture: Path | None) -> str | None:
        if self._in_place:  # the text file is what will be replaced: what it holds must be in the new one
            return self._caption_beside(picture) or self._caption_of(raw)
        return self._caption_of(raw) or self._caption_beside(picture)

    def _caption_of(self, raw: RawRow) -> str | None:
        """The caption in the row itself."""
        value = raw.values.get(self._caption) if self._caption is not None else None
        if isinstance(value, (list, tuple)):
            texts = [each for each in value if isinstance(each, str)]
            # Several captions say the same thing in different words; several tags are one caption.
            value = self._separator.join(texts[:1] if self._caption in ("caption", "captions", "text") else texts)
        return encodable(value).strip() or None if isinstance(value, str) else None

    def _caption_beside(self, picture: Path | None) -> str | None:
        """The text of the caption file beside a picture.

        Raises:
            UnreadableImageError: there is one that cannot be read, so replacing it would lose it.
        """
        if picture is None or self._confinement is None or not self._caption_extension:
            return None
        path = caption_file(picture, self._caption_extension)
        data = read_caption_file(path, self._confinement)
        return None if data is None else caption_in(data, path)
