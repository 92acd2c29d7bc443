"""Datasets of the classic host's workspace: finding the one to read, registering the new one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from wd14.hosts.transformer_lab import json_object, slug, unknown_dataset
from wd14.messages import short_description
from wd14.types import Summary


def find_dataset(datasets: Path, name: str) -> str | Path:
    """A dataset of the workspace: its folder, or its hub id.

    Raises:
        SourceNotFoundError: there is none of that name.
    """
    folder = next((datasets / each for each in _folder_names(name) if (datasets / each).is_dir()), None)
    if folder is None:
        raise unknown_dataset(name, (each.name for each in datasets.glob("*") if each.is_dir()))
    index = json_object(lambda: (folder / "index.json").read_text(encoding="utf-8"))
    location = index.get("location")
    if location == "local" or (location is None and any(each.name != "index.json" for each in folder.iterdir())):
        return folder
    return str(index.get("dataset_id") or name)


def _folder_names(name: str) -> list[str]:
    """Folder names that the host may have given a dataset: the name itself, its slug, or the one for a hub id."""
    hub = "_".join(name.replace("/", " ").split())
    return [each for each in (name, slug(name), hub) if each not in {"", ".", ".."} and Path(each).name == each]


def registration(name: str, summary: Summary, size: int) -> Mapping[str, str]:
    """The file that makes a folder one of the host's generated datasets: {file name: text}.

    The page's card shows the description and the size, in bytes.
    """
    index = {
        "dataset_id": name,
        "location": "local",
        "description": short_description(summary),
        "size": size,
        "json_data": {"generated": True, "files": ["train/metadata.jsonl"], "sample_count": summary.succeeded},
    }
    return {"index.json": json.dumps(index, indent=2)}
