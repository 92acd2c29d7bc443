"""Datasets of the current host's workspace: finding and downloading the one to read, saving the new one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wd14.errors import JobStoppedError, OutputError
from wd14.hosts.lab.storage import Storage
from wd14.hosts.transformer_lab import failure_reason, json_object, slug, unknown_dataset
from wd14.stop import StopToken
from wd14.types import Log


class WorkspaceDatasets:
    """The registry of datasets in the workspace.

    Args:
        lab: the SDK's facade `lab.lab`.
        storage: the workspace's files.
        place: the folder of all datasets.
        stop: ends downloads and uploads.
        log: shows a line in the job's output.
    """

    def __init__(self, lab: Any, storage: Storage, place: str, stop: StopToken, log: Log) -> None:
        self._lab = lab
        self._storage = storage
        self._place = place
        self._stop = stop
        self._log = log

    def open(self, name: str, downloads: Path) -> str | Path:
        """A dataset as this machine can read it: a folder, a file or a hub id.

        Args:
            name: a dataset of the workspace, a version of it (`name/v2`), a path of this machine or a hub id.
            downloads: folder for a dataset that is in a bucket.

        Raises:
            SourceNotFoundError: there is none of that name.
        """
        place = self._find(name)
        if place is not None:
            index = json_object(lambda: self._storage.read_text(f"{place}/index.json"))
            if index.get("location") == "huggingface":
                return str(index.get("dataset_id") or name)
            return self._download(place, downloads / (slug(name) or "dataset")) if "://" in place else Path(place)
        path = Path(name).expanduser()
        if path.exists():
            return path
        if name.count("/") == 1 and not name.startswith((".", "/", "~")):
            return name
        advice = " A folder's path, or a hub id owner/name, works too."
        raise unknown_dataset(name, self._storage.names(self._place), advice)

    def save(self, folder: Path) -> None:
        """Registers a dataset under the first free name and brings its files to where the SDK keeps it.

        Raises:
            OutputError: the workspace did not take it; nothing of it is left.
            JobStoppedError: the job is to stop; nothing of it is left.
        """
        import pandas as pd

        with (folder / "metadata.jsonl").open(encoding="utf-8") as file:
            frame = pd.DataFrame([json.loads(line) for line in file])
        place = None
        try:
            place = self._register(frame, folder.name).rsplit("/", 1)[0]
            self._storage.upload(folder, place, self._stop)
        except Exception as error:
            if place is not None:
                self._remove_unfinished(place)
            if isinstance(error, JobStoppedError):
                raise
            raise OutputError(f"the workspace did not take the dataset: {failure_reason(error)}") from error

    def _find(self, name: str) -> str | None:
        """Where a dataset, or a version of it, is kept; the newest version when none is named."""
        parts = [part for part in name.split("/") if part]
        if not parts or len(parts) > 2 or any(part in {".", ".."} for part in parts) or name.startswith("/"):
            return None
        for stored in ("/".join(parts), "_".join(parts), slug(name)):
            place = f"{self._place}/{stored}"
            if stored and self._storage.is_dir(place):
                names = self._storage.names(place)
                versions = [int(each[1:]) for each in names if each[:1] == "v" and each[1:].isdigit()]
                return f"{place}/v{max(versions)}" if versions and "index.json" not in names else place
        return None

    def _download(self, place: str, folder: Path) -> Path:
        self._log(f"Downloading the dataset from {place}")
        self._storage.download(place, folder, self._stop)
        return folder

    def _register(self, frame: Any, name: str) -> str:
        """Has the SDK save the dataset's metadata; returns where."""
        number = 1
        while True:
            try:
                return str(self._lab.save_dataset(frame, name if number == 1 else f"{name}-{number}", is_image=True))
            except FileExistsError:
                number += 1

    def _remove_unfinished(self, place: str) -> None:
        try:
            self._storage.remove(place)
        except Exception as error:  # noqa: BLE001 - the SDK raises what its storage raises; the job's reason counts more
            self._log(f"The unfinished dataset {place} could not be removed ({failure_reason(error)}).")
