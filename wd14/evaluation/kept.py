"""`.wd14/evaluation.json`: an evaluation that is kept with its dataset, and that the review page shows."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wd14.errors import ConfigError, OutputError
from wd14.evaluation.result import Result, curves
from wd14.evaluation.tables import write
from wd14.json_files import parse_json, read_json_file
from wd14.regular_files import mode_of

NAME = "evaluation.json"
#: What the file says of itself.
_MADE_BY = "wd14-captioner evaluate"
#: Tags of which there are curves, at most: 0.4 KB each.
_MOST_CURVES = 2000
_LARGEST = 64 << 20
_TITLE = "Evaluation"


class KeptPlace:
    """Where the evaluation of a dataset is kept.

    Args:
        dataset: as the caller named it.

    Attributes:
        path: the file.

    Raises:
        OutputError: the dataset is no folder, or what is there is not ours.
    """

    def __init__(self, dataset: str) -> None:
        try:
            folder = Path(os.path.abspath(Path(dataset).expanduser()))  # noqa: PTH100 - its links stay
        except RuntimeError as error:
            raise OutputError(f"{dataset} is in the home folder of no user") from error
        if not folder.is_dir():
            raise OutputError(f"{dataset} is no folder that could keep an evaluation: leave --keep out, or use --csv")
        self.path = folder / ".wd14" / NAME
        try:
            if os.path.lexists(self.path.parent) and not stat.S_ISDIR(self.path.parent.lstat().st_mode):
                raise OutputError(f"{self.path.parent} is no folder of ours: take it away, or leave --keep out")
            if os.path.lexists(self.path) and not stat.S_ISREG(self.path.lstat().st_mode):
                raise OutputError(f"{self.path} is no file of ours: take it away, or leave --keep out")
        except OSError as error:
            raise OutputError(f"{self.path} cannot be written: {error.strerror or error}") from error

    def write(self, evaluation: Mapping[str, Any], result: Result) -> None:
        """Writes the file; an older one is replaced in one step.

        Args:
            evaluation: as `Evaluation.as_json` gives it.
            result: its numbers.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            self.path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.path} cannot be written: {error.strerror or error}") from error
        value = {"made_by": _MADE_BY, **evaluation, "curves": curves(result, _MOST_CURVES)}
        write(self.path, json.dumps(value) + "\n")


def kept_with(folder: Path | None, remarks: list[str]) -> dict[str, Any] | None:
    """As `read_kept`; None for what is no folder.

    Args:
        folder: of the dataset.
        remarks: told why an evaluation cannot be read.
    """
    try:
        return None if folder is None else read_kept(folder)
    except ConfigError as error:
        remarks.append(f"the evaluation: {error}")
        return None


def read_kept(folder: Path) -> dict[str, Any] | None:
    """What the review page shows of an evaluation that is kept with a dataset; None where there is none.

    Raises:
        ConfigError: the file is not as `evaluate` writes it.
    """
    path = folder / ".wd14" / NAME
    if not mode_of(path):
        return None
    value = parse_json(read_json_file(path, _LARGEST, _TITLE), _TITLE, NAME)
    try:
        return _checked(value)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{_TITLE}: {path} is not as `evaluate` writes it ({type(error).__name__}: {error})"
        ) from error


def _checked(value: Any) -> dict[str, Any]:
    """The fields that the page reads, each of its own type."""
    found = value["curves"]
    edges = [float(edge) for edge in found["edges"]]
    return {
        "model": str(value["model"]),
        "thresholds": str(value["thresholds"]),
        "pictures": int(value["pictures"]),
        "edges": edges,
        "categories": {str(name): _curve(curve, len(edges)) for name, curve in found["categories"].items()},
        "tags": {str(name): _curve(curve, len(edges)) for name, curve in found["tags"].items()},
        "in_use": {str(tag["tag"]): _number(tag["threshold"]) for tag in value["tags"] if tag["tag"] in found["tags"]},
        "chosen": {str(tag["tag"]): _number(tag["chosen"]) for tag in value["tags"] if tag["tag"] in found["tags"]},
        "category_thresholds": {str(name): float(edge) for name, edge in value["category_thresholds"].items()},
    }


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _curve(curve: Any, edges: int) -> list[Any]:
    support, kept, right = int(curve[0]), [int(each) for each in curve[1]], [int(each) for each in curve[2]]
    if len(kept) != edges or len(right) != edges:
        raise ValueError("a curve has another number of points than there are edges")
    return [support, kept, right]
