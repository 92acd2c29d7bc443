"""`labels.json`: the tags of the model that made a run's scores. With it captions need none of the model's files."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from wd14.errors import ScaleError
from wd14.input_spec import InputSpec
from wd14.model.files.find import ModelFiles
from wd14.places import Place
from wd14.published import Published
from wd14.scale.output import Output
from wd14.types import Labels

_VERSION = 1


def write_labels(output: Output, model: ModelFiles) -> None:
    """Writes what captions need to know of a model: half a megabyte for 10,000 tags.

    Raises:
        OSError: the output cannot be written.
        PlaceError: the same, on an object store.
    """
    labels, published = model.labels, model.thresholds
    value: dict[str, Any] = {
        "version": _VERSION,
        "model": model.id,
        "identity": model.identity,
        "thresholds": dict(published.by_category),
        "order": labels.order,
        "names": labels.names,
        "categories": labels.categories,
        "counts": labels.counts,
    }
    if published.by_tag:
        value["tag_thresholds"] = {str(tag): threshold for tag, threshold in published.by_tag.items()}
    if published.is_preferred:
        value["prefers_own_thresholds"] = True
    data = json.dumps(value).encode() + b"\n"
    with suppress(FileNotFoundError):
        if output.labels.read() == data:
            return
    output.labels.write(data)


def read_labels(place: Place) -> ModelFiles:
    """The model as captions need it: its labels, thresholds and identity. Its files are not there.

    Args:
        place: of the `labels.json`.

    Raises:
        ScaleError: it is not there, or not as a run writes it.
        PlaceError: it cannot be read.
    """
    try:
        return _read(json.loads(place.read()))
    except FileNotFoundError as error:
        raise ScaleError(f"{place} has gone: put it back, it names the tags of the stored scores") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ScaleError(f"{place} is not as a run writes it ({error}): put it back as it was") from error


def _read(value: dict[str, Any]) -> ModelFiles:
    names, categories = (tuple(map(str, value[key])) for key in ("names", "categories"))
    counts, order = tuple(map(int, value["counts"])), value["order"]
    if value["version"] != _VERSION or order not in ("model", "score"):
        raise ValueError("it is of another version")
    if len(names) != len(categories) or len(counts) not in (0, len(names)):
        raise ValueError("its lists differ in length")
    by_tag = {int(tag): float(number) for tag, number in value.get("tag_thresholds", {}).items()}
    if by_tag and not 0 <= min(by_tag) <= max(by_tag) < len(names):
        raise ValueError("a threshold is that of no tag")
    thresholds = Published(
        {str(key): float(number) for key, number in value["thresholds"].items()},
        by_tag,
        is_preferred=value.get("prefers_own_thresholds") is True,
    )
    labels = Labels(names, categories, order, counts)
    return _without_files(str(value["model"]), str(value["identity"]), labels, thresholds)


def _without_files(name: str, identity: str, labels: Labels, thresholds: Published) -> ModelFiles:
    return ModelFiles(
        id=name,
        model_path=Path(),
        labels_path=Path(),
        labels=labels,
        spec=InputSpec(),
        activation="none",
        output_name=None,
        hashes=(),
        pinned=True,
        identity=identity,
        thresholds=thresholds,
    )
