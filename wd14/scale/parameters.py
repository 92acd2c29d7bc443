"""Which parameters a run over shards takes, and what they mean to its manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from wd14.config import CaptionConfig
from wd14.errors import ConfigError
from wd14.parameter_groups import NOT_FOR_SCALE
from wd14.parsing import names_csv
from wd14.places import Place
from wd14.published import Published, mode_in_use
from wd14.regular_files import read_file, whole_path
from wd14.scale.output import Output

#: Parameters of how a run works, and not of what comes out: another value may go on with it.
HOW = frozenset({"device", "max_data_loader_n_workers", "on_error"})

#: Parameters that name the model: what counts is its identity.
MODEL = frozenset({"generation_model", "custom_model"})

#: Parameters that name a file, which counts by what it holds, and what it is called in the output. Thresholds by tag
#: may be a list instead, and are a file by their name's ending.
FILES = {"implications": "implications", "plan": "plan", "edits": "edits", "tag_thresholds": "tag_thresholds.csv"}

#: Parameters that shape scores, or say which rows there are and what is kept of them.
SCORING = (
    *("precision", "profile", "image_size", "exif_orientation", "batch_size", "max_megapixels"),
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


def given_parameters(config: CaptionConfig, output: Output) -> dict[str, Any]:
    """The parameters that the user set, as JSON holds them and as any machine understands them.

    A model that lies in a folder is named by its whole path; files are those that `keep_files` left in the output.
    """
    values = config.model_dump(mode="json", include=config.model_fields_set)
    models = {key: whole_path(values[key]) for key in MODEL if values.get(key)}
    return values | models | {key: str(output.given(FILES[key])) for key in _files_of(config)}


def keep_files(config: CaptionConfig, output: Output) -> None:
    """Copies the files that parameters name into the output, where workers of other machines find them.

    Raises:
        ConfigError: one cannot be read.
        PlaceError: the output cannot be written.
    """
    for key, data in _files(config):
        output.given(FILES[key]).write(data)


def with_files_here(parameters: Mapping[str, Any], folder: Callable[[], Path]) -> dict[str, Any]:
    """Parameters that name files on this machine, from what `given_parameters` gave.

    Args:
        parameters: of a task.
        folder: makes a folder for files that lie on an object store; called where there are some.

    Raises:
        ConfigError: a file has gone.
        PlaceError: one cannot be read.
    """
    found = dict(parameters)
    for key in FILES:
        if "://" in str(found.get(key, "")):
            place = Place(found[key])
            try:
                data = place.read()
            except FileNotFoundError as error:
                raise ConfigError(f"{place} has gone: run the same command again") from error
            target = folder() / FILES[key]
            target.write_bytes(data)
            found[key] = str(target)
    return found


def frozen_parameters(config: CaptionConfig, published: Published) -> dict[str, Any]:
    """All parameters that shape what comes out, as JSON holds them.

    Args:
        config: the parameters.
        published: the model's own thresholds: where it prefers them, it matters whether a person set any.
    """
    left_out = {*NOT_FOR_SCALE, *HOW}
    values = config.model_dump(mode="json", exclude=left_out) | {"threshold_mode": mode_in_use(config, published)}
    return values | {key: whole_path(values[key]) for key in (*_files_of(config), *MODEL) if values[key]}


def scoring_parameters(config: CaptionConfig) -> dict[str, Any]:
    """The parameters that shape scores and rows."""
    return config.model_dump(mode="json", include=set(SCORING))


def file_hashes(config: CaptionConfig) -> dict[str, str]:
    """The sha256 of every file that a parameter names.

    Raises:
        ConfigError: one cannot be read.
    """
    return {key: hashlib.sha256(data).hexdigest() for key, data in _files(config)}


def _files(config: CaptionConfig) -> Iterator[tuple[str, bytes]]:
    for key, name in _files_of(config).items():
        try:
            yield key, read_file(Path(name).expanduser(), _LARGEST)
        except (OSError, RuntimeError) as error:
            title = CaptionConfig.model_fields[key].title
            raise ConfigError(f"{title} ({key}) is {name}, which cannot be read: {error}") from error


def _files_of(config: CaptionConfig) -> dict[str, str]:
    """The files that parameters name, by the parameter."""
    found = {key: getattr(config, key) for key in FILES}
    return {key: name for key, name in found.items() if name and (key != "tag_thresholds" or names_csv(name))}
