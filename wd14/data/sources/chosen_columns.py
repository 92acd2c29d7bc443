"""Which columns of a source are read: the picture's, the captions', and those that are kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wd14.config import CaptionConfig
from wd14.data.sources.base import MOST_COLUMNS, Column, Layout
from wd14.data.sources.input_rows import CAPTION_COLUMNS
from wd14.data.sources.values import excerpt
from wd14.errors import ColumnNotFoundError
from wd14.text import count
from wd14.types import Log

#: Columns or splits that a message names.
_MOST_LISTED = 50


@dataclass(frozen=True, slots=True)
class ChosenColumns:
    """What is read of every row. It is chosen once for a source: a part of one may have other columns."""

    image: str
    caption: str | None = None  #: None = there is none, or existing captions are not wanted
    kept: tuple[str, ...] = ()
    #: Of metadata files: what the columns are called, by their keys in the files.
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def needed(self) -> Collection[str]:
        """All of them."""
        return {self.image, *self.kept, *([self.caption] if self.caption else [])}

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {"image": self.image, "caption": self.caption, "kept": list(self.kept), "names": dict(self.names)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ChosenColumns:
        """From what `to_json` gave."""
        return cls(value["image"], value["caption"], tuple(value["kept"]), value["names"])


def choose_columns(layout: Layout, config: CaptionConfig, log: Log) -> ChosenColumns:
    """The columns to read of a source.

    Raises:
        ColumnNotFoundError: it has no such column as `image_field`, or one without pictures.
    """
    image = _image_column(layout, config.image_field)
    others = {column.name: column for column in layout.columns if column.name != image}
    wanted = (config.caption_column, *CAPTION_COLUMNS)
    caption = next((name for name in wanted if name in others), None) if config.append_tags else None
    kept = _kept_columns(list(others.values()), log) if config.keep_columns else []
    needed = {image, *kept, caption}
    names = {key: name for key, name in layout.names.items() if name in needed}
    return ChosenColumns(image, caption, tuple(kept), names)


def _image_column(layout: Layout, name: str) -> str:
    listed = some(layout.columns)
    column = next((column for column in layout.columns if column.name == name), None)
    if column is None:
        raise ColumnNotFoundError(f"Image Field (image_field) is {name!r}; the source has the columns: {listed}")
    if not column.can_hold_images:
        raise ColumnNotFoundError(
            f"Image Field (image_field) is {name!r}, which holds {column.type} and no pictures;"
            f" the source has the columns: {listed}"
        )
    return name


def some(names: Sequence[object]) -> str:
    """The first of some columns or splits, for a message: a dataset may have a million."""
    more = [f"… ({len(names):,} in all)"] if len(names) > _MOST_LISTED else []
    return ", ".join([*(excerpt(str(name)) for name in names[:_MOST_LISTED]), *more]) or "none"


def _kept_columns(others: list[Column], log: Log) -> list[str]:
    # A second name of the picture (webdataset's `jpg`) has no type; it is not worth a line.
    binary = [column for column in others if not column.can_be_json and column.type]
    if binary:
        log(f"Not kept, since they hold bytes: {some(binary)}")
    kept = [column.name for column in others if column.can_be_json]
    if len(kept) > MOST_COLUMNS:
        log(f"Not kept: {count(len(kept) - MOST_COLUMNS, 'column')} after the first {MOST_COLUMNS:,}")
    return kept[:MOST_COLUMNS]
