"""Which parameters a run over shards takes, and what they mean to its manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wd14.config import CaptionConfig
from wd14.errors import ConfigError
from wd14.parameter_groups import NOT_FOR_SCALE
from wd14.regular_files import read_file, whole_path

#: Parameters of how a run works, and not of what comes out: another value may go on with it.
HOW = frozenset({"device", "max_data_loader_n_workers", "on_error"})

#: Parameters that name the model: what counts is its identity.
MODEL = frozenset({"generation_model", "custom_model"})

#: Parameters that name a file, which counts by what it holds.
FILES = ("implications", "plan", "edits")

#: Parameters that shape scores, or say which rows there are and what is kept of them.
SCORING = (
    *("profile", "image_size", "exif_orientation", "batch_size", "max_megapixels"),
    *("image_field", "split", "follow_symlinks", "keep_columns", "append_tags"),
    *("caption_extension", "flatten_transparency"),
)

#: Bytes of the largest file that a parameter may name.
_LARGEST = 1 << 30


def read_parameters(values: Mapping[str, Any]) -> CaptionConfig:
    """The config of a run.

    Raises:
        ConfigError: a value is not allowed, or a run over shards does not take it.
    """
    config = CaptionConfig.from_values(values)
    fields = CaptionConfig.model_fields
    for key, why in NOT_FOR_SCALE.items():
        if key in config.model_fields_set and getattr(config, key) != fields[key].default:
            raise ConfigError(f"{fields[key].title} ({key}) is not for scale: {why}. Leave it out")
    return config


def given_parameters(config: CaptionConfig) -> dict[str, Any]:
    """The parameters that the user set, as JSON holds them; a model that lies in a folder by its whole path."""
    values = config.model_dump(mode="json", include=config.model_fields_set)
    paths = [key for key in (*FILES, *MODEL) if values.get(key)]
    return values | {key: whole_path(values[key]) for key in paths}


def frozen_parameters(config: CaptionConfig) -> dict[str, Any]:
    """All parameters that shape what comes out, as JSON holds them."""
    left_out = {*NOT_FOR_SCALE, *HOW}
    values = config.model_dump(mode="json", exclude=left_out)
    return values | {key: whole_path(values[key]) for key in (*FILES, *MODEL) if values[key]}


def scoring_parameters(config: CaptionConfig) -> dict[str, Any]:
    """The parameters that shape scores and rows."""
    return config.model_dump(mode="json", include=set(SCORING))


def file_hashes(config: CaptionConfig) -> dict[str, str]:
    """The sha256 of every file that a parameter names.

    Raises:
        ConfigError: one cannot be read.
    """
    found = {}
    for key in FILES:
        if name := getattr(config, key):
            try:
                data = read_file(Path(name).expanduser(), _LARGEST)
            except OSError as error:
                title = CaptionConfig.model_fields[key].title
                raise ConfigError(f"{title} ({key}) is {name}, which cannot be read: {error.strerror}") from error
            found[key] = hashlib.sha256(data).hexdigest()
    return found
