"""wd14_captioner: image datasets in, image/caption datasets out.

Importing this package loads nothing heavy: the public names below are resolved on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wd14.config import CaptionConfig
    from wd14.model.tagger import Tagger
    from wd14.pipeline import caption_dataset

__version__ = "1.0.0"

__all__ = ["CaptionConfig", "Tagger", "__version__", "caption_dataset"]

_HOMES = {
    "CaptionConfig": "wd14.config",
    "Tagger": "wd14.model.tagger",
    "caption_dataset": "wd14.pipeline",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'wd14' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
