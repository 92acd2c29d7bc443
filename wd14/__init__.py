"""wd14_captioner: tags pictures with WD14 models, and makes image/caption datasets of image datasets.

Importing this package loads nothing heavy: the names below are resolved on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from wd14 import errors

if TYPE_CHECKING:
    from wd14.api import Tags, check_dataset, evaluate_dataset, models, tag
    from wd14.config import CaptionConfig
    from wd14.errors import CaptionerError, ConfigError, ModelError, OutputError, RowError, SourceError
    from wd14.model.tagger import Tagger
    from wd14.pipeline import caption_dataset
    from wd14.types import Summary

__version__ = "1.0.0"

_NAMES = {
    "wd14.api": ("Tags", "check_dataset", "evaluate_dataset", "models", "tag"),
    "wd14.config": ("CaptionConfig",),
    "wd14.errors": ("CaptionerError", "ConfigError", "ModelError", "OutputError", "RowError", "SourceError"),
    "wd14.model.tagger": ("Tagger",),
    "wd14.pipeline": ("caption_dataset",),
    "wd14.types": ("Summary",),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "CaptionConfig",
    "CaptionerError",
    "ConfigError",
    "ModelError",
    "OutputError",
    "RowError",
    "SourceError",
    "Summary",
    "Tagger",
    "Tags",
    "__version__",
    "caption_dataset",
    "check_dataset",
    "errors",
    "evaluate_dataset",
    "models",
    "tag",
]


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module 'wd14' has no attribute {name!r}")
    return getattr(import_module(module), name)


def __dir__() -> list[str]:
    return sorted(__all__)
