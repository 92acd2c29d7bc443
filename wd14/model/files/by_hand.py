"""A known model's files, where a person has put them, and how to do that."""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from wd14.cache_folders import cache_folder
from wd14.errors import StoreError
from wd14.model.files import registry
from wd14.model.files.description import ModelDescription
from wd14.model.files.download import RemoteFile
from wd14.regular_files import mode_of


def folder_by_hand(model_id: str) -> Path | None:
    """Where a person can put a model's files when this machine cannot fetch them; None without a home folder."""
    try:
        return cache_folder() / "models" / model_id.partition("@")[0].replace("/", "_")
    except StoreError:
        return None


def put_by_hand(known: ModelDescription) -> Mapping[str, Path] | None:
    """The model's files by their paths on the hub, where a person has put what it needs into its folder."""
    folder = folder_by_hand(known.id)
    if folder is None:
        return None
    places = {file.path: folder / file.name for file in known.files}
    there = {path: place for path, place in places.items() if stat.S_ISREG(mode_of(place))}
    return there if all(file.path in there for file in known.needed) else None


def hint(model_id: str, files: Sequence[RemoteFile]) -> str:
    """How to get a model without the hub. Only the folders of known models are looked into."""
    folder = folder_by_hand(model_id) if registry.find(model_id.partition("@")[0]) is not None else None
    place = "" if folder is None else f" {folder}, or into"
    *others, last = (file.url for file in files)
    urls = f"{', '.join(others)} and {last}"
    number = "both" if len(files) == 2 else f"all {len(files)}"
    return f"Without the hub: fetch {urls}, put {number} files into{place} any folder and name that as model."
