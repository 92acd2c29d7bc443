"""Any image dataset as a stream of InputRows: `open_source` finds out what it is, `Source` reads it."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

from wd14.config import CaptionConfig
from wd14.data.sources import huggingface as hub
from wd14.data.sources import image_folder as images
from wd14.data.sources import metadata, tables
from wd14.data.sources import webdataset as tars
from wd14.data.sources.base import Column, Layout
from wd14.data.sources.confinement import Confinement
from wd14.data.sources.input_rows import CAPTION_COLUMNS, InputRowMaker
from wd14.data.sources.splits import choose_splits, total_of
from wd14.data.sources.walk import METADATA_NAMES, TABLE_ENDINGS, Survey, is_archive, survey
from wd14.errors import ColumnNotFoundError, EmptySourceError, SourceError, SourceNotFoundError
from wd14.images.formats import extension, is_picture
from wd14.text import count, printable
from wd14.types import InputRow, Log


class Source:
    """A dataset that was found; each iteration reads it from the start, a few rows at a time.

    Attributes:
        name: what the output's name is derived from: the folder's, the file's without its ending, or the hub id's.
        total: number of rows, None where counting would mean reading.
        columns: names of the columns there are, the picture's included.

    Raises (while iterating):
        SourceError: the source went away or broke on the way.
        EmptySourceError: there was no row.
    """

    def __init__(
        self, name: str, layout: Layout, splits: tuple[str, ...], maker: InputRowMaker, read: set[str]
    ) -> None:
        self.name = name
        self.columns = tuple(column.name for column in layout.columns)
        self.total = total_of(layout, splits)
        self._layout = layout
        self._splits = splits
        self._maker = maker
        self._read = read
        self._closed = threading.Event()
        self._running: list[Generator[InputRow, None, None]] = []

    def __iter__(self) -> Iterator[InputRow]:
        samples = self._samples()
        self._running.append(samples)
        return samples

    def _samples(self) -> Generator[InputRow, None, None]:
        index = -1
        for index, record in enumerate(self._layout.rows(self._splits, self._read)):
            if self._closed.is_set():
                return
            yield self._maker.sample(index, record)
        if index < 0:
            raise EmptySourceError(f"{self.name} holds no row")

    def close(self) -> None:
        """Closes whatever is open. An iteration in another thread ends at its next row."""
        self._closed.set()
        while self._running:
            samples = self._running.pop()
            # One that another thread is in cannot be closed from here; it sees the event.
            with suppress(ValueError):
                samples.close()

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_source(source: str | Path, config: CaptionConfig, *, log: Log | None = None) -> Source:
    """Finds out what a source is and looks it over; no picture is read yet.

    Args:
        source: a folder of pictures (with metadata files or without), of Parquet or Arrow files, of tar archives, or
            written by `save_to_disk`; such a file or one picture; or a dataset id of the hub
            (`owner/name`, `owner/name@revision:configuration`).
        config: `image_field`, `split`, `keep_columns`, `append_tags`, `caption_extension`, `follow_symlinks` count.
        log: told what is left out, and why.

    Raises:
        SourceNotFoundError: there is no such folder, file or hub dataset.
        EmptySourceError: it holds no picture.
        ColumnNotFoundError: it has no such column.
        SplitNotFoundError: it has no such split.
        SourceError: it cannot be read.
    """
    say = log or _silent
    try:
        path = Path(source).expanduser()
    except RuntimeError as error:
        raise SourceNotFoundError(f"{printable(str(source))} is not there: no user of that name") from error
    if not _exists(path):
        name, confinement, layout = _from_hub(source, path, say)
    else:
        confinement = Confinement(
            path if path.is_dir() else path.absolute().parent,
            follow_symlinks=config.follow_symlinks,
        )
        name = confinement.root.name if path.is_dir() or path.name in METADATA_NAMES else _stem(path.name)
        try:
            layout = _folder(confinement, config, say) if path.is_dir() else _file(path, confinement, say)
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {error.strerror or error}") from error
    splits = choose_splits(layout.splits, config.split)
    if total_of(layout, splits) == 0:
        raise EmptySourceError(f"{printable(str(source))} holds no row in its split {printable(', '.join(splits))}")
    _say_unread(layout, splits, say)
    maker, read = _maker(layout, config, confinement, say)
    return Source(printable(name) or "dataset", layout, splits, maker, read)


def _silent(line: str) -> None:
    """Nobody watches."""


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _stem(name: str) -> str:
    return name.partition(".")[0] if is_archive(name) else Path(name).stem


def _from_hub(source: str | Path, path: Path, say: Log) -> tuple[str, None, Layout]:
    missing = f"no folder or file {printable(str(path.absolute()))}"
    hub_id = hub.HubId.parse(str(source))
    if hub_id is None:
        raise SourceNotFoundError(f"There is {missing} (and a dataset of the hub is written owner/name)")
    say(f"There is {missing}: asking the hub for the dataset {hub_id.repo}")
    try:
        return hub_id.name, None, hub.HubDataset(hub_id)
    except SourceNotFoundError as error:
        raise SourceNotFoundError(f"There is {missing}, and {error}") from error


def _folder(confinement: Confinement, config: CaptionConfig, say: Log) -> Layout:
    root = confinement.root
    if tables.is_saved_dataset(root):
        return tables.saved_dataset(confinement)
    found = survey(confinement, say)
    if found.metadata:
        if all(file.endswith(".parquet") for file in found.metadata):
            return tables.metadata_tables(root, found.metadata)
        return metadata.MetadataFolder(confinement, found.metadata, say)
    if found.tables and (layout := _tables_of(root, found, config, say)) is not None:
        return layout
    if found.picture_count:
        if found.archives:
            _say_left_out(found.archives, "archive", say)
        if found.others:
            say(f"Left out: {found.others_in_words()}")
        return images.ImageFolder(confinement, found)
    if found.archives:
        return tars.WebDataset(root, found.archives)
    held = found.others_in_words()
    raise EmptySourceError(f"{root} holds no picture" + (f", only {held}" if held else ""))


def _tables_of(root: Path, found: Survey, config: CaptionConfig, say: Log) -> Layout | None:
    """The tables of a folder, unless pictures lie there too and the tables do not have the column asked for."""
    layout = tables.Tables(tables.table_files(root, found.tables))
    if not found.picture_count or any(column.name == config.image_field for column in layout.columns):
        return layout
    _say_left_out(found.tables, "table", say)
    return None


def _say_left_out(files: list[str], noun: str, say: Log) -> None:
    say(f"Left out: {count(len(files), noun)} beside the pictures (such as {printable(files[0])})")


def _file(path: Path, confinement: Confinement, say: Log) -> Layout:
    name = path.name
    path = confinement.root / name
    if not path.is_file():
        raise SourceError(f"{printable(str(path))} is no file and no folder")
    if extension(name) in TABLE_ENDINGS:
        return tables.metadata_tables(confinement.root, [name])
    if is_archive(name):
        return tars.WebDataset(confinement.root, [name])
    if extension(name) in (".jsonl", ".csv"):
        return metadata.MetadataFolder(confinement, [name], say, in_folder=False)
    if is_picture(name):
        return images.SinglePicture(path)
    raise SourceError(
        f"{printable(str(path))} is no dataset: expected a picture, .parquet, .arrow, .tar, .jsonl or .csv, or a folder"
    )


def _say_unread(layout: Layout, splits: tuple[str, ...], say: Log) -> None:
    unread = [
        printable(split) if number is None else f"{printable(split)} ({number:,})"
        for split, number in layout.splits.items()
        if split not in splits
    ]
    if unread:
        read = printable(", ".join(splits))
        say(f"Reading the split {read}; not read: {', '.join(unread)} (split=all reads every one)")


def _maker(
    layout: Layout, config: CaptionConfig, confinement: Confinement | None, say: Log
) -> tuple[InputRowMaker, set[str]]:
    """What turns rows into InputRows, and the columns that it needs."""
    image = _image_column(layout, config.image_field)
    names = [column.name for column in layout.columns]
    caption = next((name for name in CAPTION_COLUMNS if name in names and name != image.name), None)
    kept = _kept(layout, image, say) if config.keep_columns else []
    if not config.append_tags:
        caption = None
    maker = InputRowMaker(
        confinement,
        image=image.name,
        caption=caption,
        caption_ending=config.caption_extension if config.append_tags else None,
        separator=config.caption_separator,
        kept=kept,
    )
    return maker, {image.name, *kept, *([caption] if caption else [])}


def _image_column(layout: Layout, name: str) -> Column:
    listed = ", ".join(str(column) for column in layout.columns) or "none"
    column = next((column for column in layout.columns if column.name == name), None)
    if column is None:
        raise ColumnNotFoundError(f"Image Field (image_field) is {name!r}; the source has the columns: {listed}")
    if not column.can_hold_images:
        raise ColumnNotFoundError(
            f"Image Field (image_field) is {name!r}, which holds {column.type} and no pictures;"
            f" the source has the columns: {listed}"
        )
    return column


def _kept(layout: Layout, image: Column, say: Log) -> list[str]:
    others = [column for column in layout.columns if column.name != image.name]
    binary = [column for column in others if not column.can_be_json and column.type]
    if binary:
        say(f"Not kept, since they hold bytes: {', '.join(str(column) for column in binary)}")
    return [column.name for column in others if column.can_be_json]
