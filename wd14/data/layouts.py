"""Finds out what kind of source a path or an id is, and looks it over."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wd14.config import CaptionConfig
from wd14.data.concept_folders import ConceptFolders
from wd14.data.sources.base import Layout
from wd14.data.sources.chosen_columns import ChosenColumns, choose_columns, some
from wd14.data.sources.confinement import Confinement
from wd14.data.sources.huggingface import HubDataset, HubId
from wd14.data.sources.image_folder import ImageFolder, SinglePicture
from wd14.data.sources.input_rows import InputRowMaker
from wd14.data.sources.metadata import MetadataFolder
from wd14.data.sources.splits import choose_splits, split_of_folder, wants_all
from wd14.data.sources.tables import is_saved_dataset, metadata_tables, saved_dataset, table_folder
from wd14.data.sources.walk import METADATA_NAMES, TABLE_EXTENSIONS, ZIP_EXTENSION, Survey, is_archive, survey
from wd14.data.sources.webdataset import WebDataset
from wd14.data.sources.zip_files import ZipFiles
from wd14.errors import EmptySourceError, SourceError, SourceNotFoundError
from wd14.images.formats import extension, is_picture
from wd14.text import count, printable
from wd14.types import Log


@dataclass(frozen=True)
class OpenedLayout:
    """A source that was looked over.

    Attributes:
        name: see `Source`.
        layout: the source.
        splits: those that are to be read.
        columns: those that are to be read.
        confinement: what of it may be opened; None = its rows may not name files.
    """

    name: str
    layout: Layout
    splits: tuple[str, ...]
    columns: ChosenColumns
    confinement: Confinement | None


def open_layout(source: str | Path, config: CaptionConfig, *, log: Log) -> OpenedLayout:
    """As `open_source`."""
    try:
        path = Path(source).expanduser()
    except RuntimeError as error:
        raise SourceNotFoundError(f"{printable(str(source))} was not found: there is no user of that name") from error
    if not _exists(path):
        name, layout = _open_hub_dataset(str(source), path, log)
        return _opened(str(source), name, layout, None, config, log)
    files = confinement_of(path, config)
    name = name_of(path, files)
    return look_over(str(path), name, files, config, file=None if path.is_dir() else path.name, log=log)


def look_over(
    source: str, name: str, files: Confinement, config: CaptionConfig, *, file: str | None, log: Log
) -> OpenedLayout:
    """As `open_layout`, of files wherever they are.

    Args:
        source: what a person calls their place.
        name: see `Source`.
        files: the folder.
        config: see `open_source`.
        file: the one file of the folder that is meant; None = all.
        log: see `open_source`.
    """
    try:
        layout = _open_folder(files, config, log) if file is None else _open_file(file, files, log)
    except OSError as error:
        raise SourceError(f"{printable(source)} cannot be read: {error.strerror or error}") from error
    return _opened(source, name, layout, files, config, log)


def _opened(
    source: str, name: str, layout: Layout, confinement: Confinement | None, config: CaptionConfig, log: Log
) -> OpenedLayout:
    splits = choose_splits(layout.splits, config.split)
    if layout.row_count(splits) == 0:
        raise EmptySourceError(f"{printable(source)} holds no row in its split {some(splits)}")
    _log_splits(layout, splits, config, log)
    columns = choose_columns(layout, config, log)
    return OpenedLayout(name, layout, splits, columns, layout.confinement or confinement)


def confinement_of(path: Path, config: CaptionConfig) -> Confinement:
    """What may be opened of a source on this machine: what lies in its folder."""
    folder = path if path.is_dir() else path.absolute().parent
    return Confinement(folder, follow_symlinks=config.follow_symlinks)


def name_of(path: Path, confinement: Confinement) -> str:
    """What a source on this machine is called."""
    is_folder = path.is_dir() or path.name in METADATA_NAMES
    return printable(confinement.root.name if is_folder else _stem(path.name)) or "dataset"


def row_maker(
    name: str, config: CaptionConfig, columns: ChosenColumns, confinement: Confinement | None, log: Log
) -> InputRowMaker:
    """What makes the InputRows of a source."""
    return InputRowMaker(
        confinement,
        image=columns.image,
        caption=columns.caption,
        caption_extension=config.caption_extension if config.append_tags else None,
        separator=config.caption_separator,
        kept=columns.kept,
        keep_splits=wants_all(config.split),
        in_place=config.in_place,
        concepts=None if config.trainer == "none" else ConceptFolders(name, log),
    )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _stem(name: str) -> str:
    return name.partition(".")[0] if is_archive(name) else Path(name).stem


def _open_hub_dataset(source: str, path: Path, log: Log) -> tuple[str, HubDataset]:
    missing = f"no folder or file {printable(str(path.absolute()))}"
    hub_id = HubId.parse(source)
    if hub_id is None:
        raise SourceNotFoundError(f"There is {missing} (a dataset of the hub is written owner/name)")
    log(f"There is {missing}: asking the hub for the dataset {hub_id.repo}")
    try:
        return printable(hub_id.name) or "dataset", HubDataset(hub_id)
    except SourceNotFoundError as error:
        raise SourceNotFoundError(f"There is {missing}, and {error}") from error


def _open_folder(confinement: Confinement, config: CaptionConfig, log: Log) -> Layout:
    root = confinement.root
    if is_saved_dataset(root):
        return saved_dataset(confinement)
    found = survey(confinement, log)
    if found.metadata:
        if all(file.endswith(".parquet") for file in found.metadata):
            confinement.outline(found.metadata)
            return metadata_tables(root, found.metadata)
        return MetadataFolder(confinement, found.metadata, log)
    if found.tables:
        confinement.outline(found.tables)
        tables = table_folder(root, found.tables)
        if not found.pictures or any(column.name == config.image_field for column in tables.columns):
            return tables
        _log_left_out(found.tables, "table", log)
    if found.pictures:
        return _pictures(confinement, found, log)
    if found.archives:
        if found.zips:
            _log_left_out(found.zips, "archive", log)
        confinement.outline(found.archives)
        return WebDataset(root, found.archives)
    if found.zips:
        confinement.outline(found.zips)
        return _open_zips(root, found.zips, log)
    others = found.describe_others()
    raise EmptySourceError(f"{confinement} holds no picture" + (f", only {others}" if others else ""))


def _pictures(confinement: Confinement, found: Survey, log: Log) -> ImageFolder:
    if archives := found.archives + found.zips:
        _log_left_out(archives, "archive", log)
    if others := found.describe_others():
        log(f"Left out: {others}")
    return ImageFolder(confinement, found)


def _open_zips(folder: Path, archives: list[str], log: Log) -> Layout:
    """The pictures in zip archives, with their metadata files; tables and archives in them are not read."""
    files = ZipFiles(folder, archives)
    found = survey(files, log)
    metadata = [name for name in found.metadata if not name.endswith(".parquet")]
    if metadata:
        return MetadataFolder(files, metadata, log)
    if found.pictures:
        if tables := found.metadata + found.tables:
            _log_left_out(tables, "table", log)
        return _pictures(files, found, log)
    shown = printable(", ".join(archives[:3]))
    inner = [*found.metadata, *found.tables, *found.archives, *found.zips]
    only = f"; what it holds (such as {printable(inner[0])}) is read when you unpack it" if inner else ""
    raise EmptySourceError(f"{shown} holds no picture{only}")


def _log_left_out(files: list[str], noun: str, log: Log) -> None:
    log(f"Left out: {count(len(files), noun)} beside the pictures (such as {printable(files[0])})")


def _open_file(name: str, confinement: Confinement, log: Log) -> Layout:
    path = confinement.root / name
    if not confinement.is_file(path):
        raise SourceError(f"{printable(str(path))} is neither a file nor a folder")
    confinement.outline([name])
    if extension(name) in TABLE_EXTENSIONS:
        return metadata_tables(confinement.root, [name])
    if is_archive(name):
        return WebDataset(confinement.root, [name])
    if extension(name) == ZIP_EXTENSION:
        return _open_zips(confinement.root, [name], log)
    if extension(name) in (".jsonl", ".csv"):
        return MetadataFolder(confinement, [name], log, is_whole_folder=False)
    if is_picture(name):
        return SinglePicture(path)
    raise SourceError(
        f"{printable(str(path))} is not a dataset:"
        " expected a picture, .parquet, .arrow, .tar, .zip, .jsonl or .csv, or a folder"
    )


def _log_splits(layout: Layout, splits: tuple[str, ...], config: CaptionConfig, log: Log) -> None:
    unusual = [printable(split) for split in splits if split_of_folder(split) is None]
    if wants_all(config.split) and unusual:
        log(f"Put into train, since readers know train, validation and test only: {some(unusual)}")
    unread = [
        printable(split) if number is None else f"{printable(split)} ({number:,})"
        for split, number in layout.splits.items()
        if split not in splits
    ]
    if unread:
        log(f"Reading the split {some(splits)}; not read: {some(unread)} (split=all reads every one)")
