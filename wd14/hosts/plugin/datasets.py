"""Datasets of the classic host's workspace: the one to read, and what makes a folder one of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wd14.errors import SourceNotFoundError
from wd14.hosts.transformer_lab import slug


def find_dataset(datasets: Path, name: str) -> str | Path:
    """What a dataset of the host is: its folder, or its hub id.

    Raises:
        SourceNotFoundError: there is none of that name.
    """
    folder = next((datasets / each for each in _folder_names(name) if (datasets / each).is_dir()), None)
    if folder is None:
        known = sorted(each.name for each in datasets.glob("[!.]*") if each.is_dir()) if datasets.is_dir() else []
        there = f"there are: {', '.join(known[:20])}" if known else "there are none"
        raise SourceNotFoundError(f"The workspace has no dataset {name!r} (deleted or renamed?); {there}.")
    index = _read_index(folder)
    location = index.get("location")
    if location == "local" or (location is None and any(each.name != "index.json" for each in folder.iterdir())):
        return folder
    return str(index.get("dataset_id") or name)


def _folder_names(name: str) -> list[str]:
    """How the host may write a dataset's name as a folder: as it is, as its upload does, as its store does."""
    stored = "_".join(name.replace("/", " ").split())
    names = [name, slug(name), stored]
    return [each for each in dict.fromkeys(names) if each and each not in {".", ".."} and Path(each).name == each]


def _read_index(folder: Path) -> dict[str, Any]:
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return index if isinstance(index, dict) else {}


def registration(name: str, rows: int) -> Mapping[str, str]:
    """The file that makes a folder one of the host's generated datasets."""
    index = {
        "dataset_id": name,
        "location": "local",
        "description": "",
        "size": -1,
        "json_data": {"generated": True, "files": ["metadata.jsonl"], "sample_count": rows},
    }
    return {"index.json": json.dumps(index, indent=2)}
