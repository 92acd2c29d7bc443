"""An earlier output of `scale` as a source: its shards, and what a run over its stored scores takes from it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from wd14.caption.thresholds import lowest_threshold
from wd14.config import CaptionConfig
from wd14.data.cutting import Listing
from wd14.data.pieces import Piece
from wd14.errors import ConfigError, PlaceError, SourceError
from wd14.model.files.find import ModelFiles
from wd14.model.score_store.store import usable_for
from wd14.places import FoundAt, Place
from wd14.regular_files import whole_path
from wd14.scale.manifest import Format, Manifest, read_manifest
from wd14.scale.output import Output
from wd14.scale.parameters import MODEL, SCORING
from wd14.types import SCORE_FLOOR

#: Parameters of the source that do not hold for a run over it: they say what captions are made of.
_OWN = frozenset({"append_tags"})
_INDEX = ("file", "rows", "size", "sha256")


@dataclass(frozen=True)
class StoredListing(Listing):
    """The shards of a run that is complete.

    Attributes:
        manifest: what that run was.
        pieces: a piece for each of its shards, with the numbers of its rows; the stamp is the sha256 of their file.
    """

    manifest: Manifest = field(kw_only=True)
    pieces: tuple[Piece, ...] = field(kw_only=True)

    def files(self) -> Iterator[FoundAt]:
        return (FoundAt(piece.file, piece.size, piece.stamp) for piece in self.pieces)

    def shards(self, config: CaptionConfig, rows: int) -> Iterator[tuple[Piece, ...]]:  # noqa: ARG002
        """Each shard of the source is one again, however many rows are asked for."""
        return ((piece,) for piece in self.pieces)


def list_stored(source: str) -> StoredListing | None:
    """Looks whether a source is an output of `scale`; None where it is something else.

    Raises:
        SourceError: it is one that is not complete, or it is damaged.
        ScaleError: its manifest is damaged.
        PlaceError: it cannot be read.
    """
    place = Place(source)
    if place.url.startswith("hf://") or (place.is_local and not place.local.is_dir()):
        return None
    output = Output(place)
    try:
        manifest = read_manifest(output)
    except PlaceError:
        return None  # what reads sources says what is wrong
    if manifest is None:
        return None
    if not output.success.exists():
        raise SourceError(
            f"{place} is a run that is not complete: run its own command again until it is; then captions can be made"
            " from its scores"
        )
    return StoredListing(place, place.name, "stored", manifest=manifest, pieces=_pieces(output.index, manifest))


def _pieces(index: Place, manifest: Manifest) -> tuple[Piece, ...]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(index.read()))
        known = json.loads((table.schema.metadata or {})[b"wd14"])
        columns = [table[name].to_pylist() for name in _INDEX]
    except (FileNotFoundError, pa.ArrowException, ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{index} is not as a run writes it ({error}): run the command that made it again") from error
    if known.get("manifest") != manifest.hash:
        raise SourceError(f"{index} belongs to another run than the manifest.json beside it")
    pieces, first = [], 0
    for file, rows, size, sha256 in zip(*columns, strict=True):
        pieces.append(Piece(str(file), int(size), str(sha256), first, first + int(rows), int(rows)))
        first += int(rows)
    return tuple(pieces)


def recaption_config(listing: StoredListing, config: CaptionConfig, form: Format = "parquet") -> CaptionConfig:
    """The parameters of a run over stored scores: what shaped the scores is the source's.

    Args:
        listing: the source.
        config: as the user set them.
        form: what the shards are to be written as.

    Raises:
        ConfigError: the user asks for another model or other scores, or for what the source does not have.
    """
    stored, fields = listing.manifest.parameters, CaptionConfig.model_fields
    taken: dict[str, Any] = {}
    for key in sorted(set(SCORING) - _OWN):
        before = CaptionConfig.from_values({key: stored[key]}) if stored.get(key) is not None else CaptionConfig()
        value = getattr(before, key)
        if key not in config.model_fields_set:
            if value != fields[key].default:
                taken[key] = value
        elif getattr(config, key) != value and not _leaves_out(key, config):
            raise ConfigError(
                f"{fields[key].title} ({key}) is {getattr(config, key)!r}, but {listing.place} was made with {value!r}:"
                " leave it out, or begin again from the pictures"
            )
    taken |= _model(listing, config)
    if config.append_tags and not stored.get("append_tags"):
        raise ConfigError(
            f"Append to Captions (append_tags): {listing.place} was made without it, and so has no column 'existing'"
            " with the captions that its pictures came with. Leave it out, or begin again from the pictures"
        )
    if form == "webdataset" and listing.manifest.format != "webdataset":
        raise ConfigError(f"--format webdataset: {listing.place} has no pictures. Begin again from its source")
    return config.model_copy(update=taken) if taken else config


def _leaves_out(key: str, config: CaptionConfig) -> bool:
    """Whether less is asked for than is there."""
    return key == "keep_columns" and not config.keep_columns


def _model(listing: StoredListing, config: CaptionConfig) -> dict[str, Any]:
    """The parameters that name the source's model.

    Raises:
        ConfigError: the user names another one.
    """
    stored = {key: listing.manifest.parameters.get(key) or "" for key in MODEL}
    own = stored["custom_model"] or stored["generation_model"]
    if MODEL & config.model_fields_set and config.model and own not in (config.model, whole_path(config.model)):
        raise ConfigError(
            f"the model is {config.model}, but the scores in {listing.place} are of {own}: leave it out, or begin again"
            " from the pictures"
        )
    return {key: value for key, value in stored.items() if value}


def check_thresholds(config: CaptionConfig, model: ModelFiles) -> None:
    """Refuses thresholds of which stored scores know nothing.

    Raises:
        ConfigError: one is below the floor of the scores that are stored.
    """
    lowest = lowest_threshold(model.labels, config, model.thresholds)
    if not usable_for(lowest):
        raise ConfigError(
            f"the lowest threshold is {lowest:g}, and no score below {SCORE_FLOOR:g} is kept: give {SCORE_FLOOR:g} or"
            " more, or use the command caption"
        )
