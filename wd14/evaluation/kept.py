"""`.wd14/evaluation.json`: an evaluation that is kept with its dataset, and that the review page shows."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wd14.errors import ConfigError, OutputError
from wd14.json_files import parse_json, read_json_file
from wd14.regular_files import mode_of

if TYPE_CHECKING:
    from wd14.evaluation.result import Result

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
        from wd14.evaluation.result import curves  # a review page, which reads the file, does without
        from wd14.evaluation.tables import write

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
        remarks.append(str(error))
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
        kind = type(error).__name__
        raise ConfigError(f"{_TITLE}: {path} is not as `evaluate` writes it ({kind}: {error})") from error


def _checked(value: Any) -> dict[str, Any]:
    """The fields that the page reads, each of its own type: the file may be anybody's."""
    found = value["curves"]
    edges = [_share(edge) for edge in _list(found["edges"])]
    curves = {
        key: {str(name): _curve(curve, len(edges)) for name, curve in _object(found[key]).items()}
        for key in ("categories", "tags")
    }
    tags = [tag for tag in _list(value["tags"]) if _object(tag)["tag"] in curves["tags"]]
    return {
        "model": str(value["model"]),
        "thresholds": str(value["thresholds"]),
        "pictures": _count(value["pictures"]),
        "edges": edges,
        **curves,
        "in_use": {str(tag["tag"]): _threshold(tag["threshold"]) for tag in tags},
        "chosen": {str(tag["tag"]): _threshold(tag["chosen"]) for tag in tags},
        "category_thresholds": {
            str(name): _threshold(edge) for name, edge in _object(value["category_thresholds"]).items()
        },
    }


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"expected an object, got {type(value).__name__}")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"expected a list, got {type(value).__name__}")
    return value


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("expected a number from 0 to 1")
    return float(value)


def _threshold(value: Any) -> float | None:
    """Above 1 it is "off"."""
    return None if value is None else _share(min(value, 1))


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 53:
        raise ValueError("expected a whole number")
    return value


def _curve(curve: Any, edges: int) -> list[Any]:
    support, kept, right = _list(curve)
    points = [[_count(each) for each in _list(side)] for side in (kept, right)]
    if any(len(side) != edges for side in points):
        raise ValueError("a curve has another number of points than there are edges")
    return [_count(support), *points]
