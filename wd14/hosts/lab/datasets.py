"""Datasets of the current host's workspace: finding and downloading the one to read, saving the new one."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wd14.errors import JobStoppedError, OutputError
from wd14.hosts.lab.storage import Storage
from wd14.hosts.transformer_lab import failure_reason, json_object, slug, unknown_dataset
from wd14.stop import StopToken
from wd14.types import Log


@dataclass(frozen=True, slots=True)
class FoundDataset:
    """A dataset that this machine can read: a folder, a file or a hub id."""

    source: str | Path
    #: The workspace's name of it, without a version; None where it is no dataset of the workspace.
    name: str | None = None


class WorkspaceDatasets:
    """The registry of datasets in the workspace.

    A dataset of the registry is a folder of pictures, or a group: a folder with its versions `v1`, `v2`, … in it. It is
    both when a result was saved as a version of the pictures that it was made from.

    Args:
        lab: the SDK's facade `lab.lab`.
        storage: the workspace's files.
        place: the folder of all datasets.
        stop: ends downloads and uploads.
        log: shows a line in the job's output.
        takes_folders: whether the SDK saves a folder as a dataset (from 0.0.80 on).
    """

    def __init__(
        self, lab: Any, storage: Storage, place: str, stop: StopToken, log: Log, *, takes_folders: bool
    ) -> None:
        self._lab = lab
        self._storage = storage
        self._place = place
        self._stop = stop
        self._log = log
        self._takes_folders = takes_folders

    def open(self, name: str, downloads: Path) -> FoundDataset:
        """A dataset as this machine can read it.

        Args:
            name: a dataset of the workspace, a version of it (`name/v2`), a path of this machine or a hub id.
            downloads: folder for a dataset that is in a bucket.

        Raises:
            SourceNotFoundError: there is none of that name.
        """
        stored = self._find(name)
        if stored is not None:
            group = re.sub(r"/v\d+$", "", stored)
            place = f"{self._place}/{stored}"
            index = json_object(lambda: self._storage.read_text(f"{place}/index.json"))
            if index.get("location") == "huggingface":
                return FoundDataset(str(index.get("dataset_id") or name), group)
            return FoundDataset(self._bring(place, downloads / group), group)
        path = Path(name).expanduser()
        if path.exists():
            return FoundDataset(path)
        if name.count("/") == 1 and not name.startswith((".", "/", "~")):
            return FoundDataset(name)
        advice = " A folder's path, or a hub id owner/name, works too."
        raise unknown_dataset(name, self._storage.names(self._place), advice)

    def save(self, folder: Path, rows: int) -> str:
        """Registers a dataset under the first free name and brings its files to where the SDK keeps it.

        Args:
            folder: the dataset, with `.wd14/` and folders of splits in it; its files may be moved away.
            rows: number of its pictures.

        Returns:
            Where it is: a folder or a URL.

        Raises:
            OutputError: the workspace did not take it; nothing of it is left.
            JobStoppedError: the job is to stop; nothing of it is left.
        """
        place = None
        try:
            if self._takes_folders:
                place = self._register_folder(folder)
            else:
                place = self._register_rows(folder.name, rows)
                # The rows are in the folders of splits, beside their pictures.
                self._storage.remove(f"{place}/metadata.jsonl")
            self._storage.upload(folder, place, self._stop)
        except BaseException as error:
            if place is not None:
                self._remove_unfinished(place)
            if isinstance(error, JobStoppedError) or not isinstance(error, Exception):
                raise
            raise OutputError(f"the workspace did not take the dataset: {failure_reason(error)}") from error
        return place

    def _find(self, name: str) -> str | None:
        """A dataset's folder in the registry: of a group the version that was named, or else the one to read."""
        parts = [part for part in name.split("/") if part]
        if not parts or len(parts) > 2 or any(part in {".", ".."} for part in parts) or name.startswith("/"):
            return None
        for stored in ("/".join(parts), "_".join(parts), slug(name)):
            if stored and self._storage.is_dir(f"{self._place}/{stored}"):
                version = self._version_to_read(stored)
                return f"{stored}/{version}" if version else stored
        return None

    def _version_to_read(self, group: str) -> str | None:
        """A group's newest version that is not a result of ours; None where the pictures beside them are to be read."""
        names = self._storage.names(f"{self._place}/{group}")
        versions = sorted(filter(_is_version, names), key=lambda name: int(name[1:]), reverse=True)
        if not versions:
            return None
        chosen = next((each for each in versions if not self._is_result(f"{group}/{each}")), None)
        if chosen is None and set(names) - {*versions, "index.json"}:
            self._log(f"Of {group}, its versions are left out: they are results of this captioner.")
            return None
        chosen = chosen or versions[0]
        left_out = versions[: versions.index(chosen)]
        why = f"the newest that is not a result of this captioner ({', '.join(left_out)})" if left_out else "the newest"
        self._log(f"Version of {group}: {chosen}, {why}.")
        return chosen

    def _is_result(self, stored: str) -> bool:
        place = f"{self._place}/{stored}"
        if json_object(lambda: self._storage.read_text(f"{place}/.wd14/provenance.json")):
            return True
        about = json_object(lambda: self._storage.read_text(f"{place}/index.json")).get("json_data")
        return isinstance(about, dict) and about.get("generated") is True

    def _bring(self, place: str, folder: Path) -> Path:
        """A dataset where this machine can read it, without versions in it: its own folder, or else a copy."""
        versions = list(filter(_is_version, self._storage.names(place)))
        if "://" in place:
            self._log(f"Downloading the dataset from {place}")
            self._storage.download(place, folder, self._stop, without=versions)
            return folder
        if not versions:
            return Path(place)
        # Links stay links: the reader refuses those that lead out of the dataset.
        leave_out = lambda here, _: versions if here == place else []  # noqa: E731
        shutil.copytree(place, folder, symlinks=True, ignore=leave_out, copy_function=_link)
        return folder

    def _register_folder(self, folder: Path) -> str:
        """Has the SDK save a folder with the hidden files only; returns where.

        It copies file by file, and cannot be stopped: pictures are brought there by `Storage`.
        """
        hidden = folder.parent / f".{folder.name}"
        hidden.mkdir()
        shutil.move(folder / ".wd14", hidden)
        return str(self._lab.save_artifact(str(hidden), name=folder.name, type="dataset"))

    def _register_rows(self, name: str, rows: int) -> str:
        """Has an older SDK save a `metadata.jsonl` of so many rows; returns the folder that it is in."""
        import pandas as pd

        number = 1
        while True:
            try:
                unique = name if number == 1 else f"{name}-{number}"
                saved = str(self._lab.save_dataset(pd.DataFrame(index=range(rows)), unique, is_image=True))
                return saved.rsplit("/", 1)[0]
            except FileExistsError:
                number += 1

    def _remove_unfinished(self, place: str) -> None:
        try:
            self._storage.remove(place)
        except Exception as error:  # noqa: BLE001 - the SDK raises what its storage raises; the job's reason counts more
            self._log(f"The unfinished dataset {place} could not be removed ({failure_reason(error)}).")


def _is_version(name: str) -> bool:
    return re.fullmatch(r"v\d+", name) is not None


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # not on every filesystem
        shutil.copyfile(source, target)
