"""`provenance.json`: how a dataset was made, in enough detail to make it again."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import wd14
from wd14.config import CaptionConfig
from wd14.published import Published
from wd14.types import Summary

#: Begins `made_by`, by which a result is recognised.
MADE_BY = "wd14-captioner"
#: Packages whose version can change a result.
_PACKAGES = ("onnxruntime", "openvino", "numpy", "pillow", "datasets", "huggingface_hub")


def model_of_run(name: str, identity: str, published: Published) -> dict[str, Any]:
    """What `provenance` says of a tagger.

    Args:
        name: its id or folder, as the user named it.
        identity: of its weights and labels.
        published: the thresholds that came with it.
    """
    return {"id": name, "identity": identity, "published": dict(published.by_category)}


def provenance(
    config: CaptionConfig, summary: Summary, *, source: str, command: str, model: Mapping[str, Any]
) -> dict[str, Any]:
    """What `provenance.json` holds.

    Args:
        config: the parameters; defaults are listed too, and by themselves those that the user set: a caption style
            decides on the others.
        summary: the counts.
        source: name of the dataset that was read.
        command: the command line that makes the dataset again.
        model: what identifies the tagger: id, identity, thresholds.
    """
    return {
        "made_by": f"{MADE_BY} {wd14.__version__}",
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": source,
        "command": command,
        "model": dict(model) | {"device": summary.device, "precision": summary.precision},
        "thresholds": summary.thresholds,
        "parameters": config.model_dump(mode="json"),
        "given": sorted(config.model_fields_set),
        "counts": summary.counts(),
        "seconds": round(summary.seconds, 3),
        "python": platform.python_version(),
        "packages": versions(),
    }


def versions() -> dict[str, str]:
    """The versions of the packages that can change a result."""
    return {name: found for name in _PACKAGES if (found := _version(name)) is not None}


@cache  # a run over shards asks once a shard
def _version(package: str) -> str | None:
    for name in (package, f"{package}-gpu", f"{package}-directml", f"{package}-openvino"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None
