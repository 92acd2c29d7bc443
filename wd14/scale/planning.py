"""Plans a run, or looks whether the one that is there is the same."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import wd14
from wd14.config import CaptionConfig
from wd14.data.cutting import Listing
from wd14.data.pieces import Piece
from wd14.data.provenance import MADE_BY
from wd14.errors import ConfigError, EmptySourceError, ScaleError
from wd14.messages import command_in_words
from wd14.model.files.find import ModelFiles
from wd14.places import Place
from wd14.scale import parameters
from wd14.scale.manifest import Format, Manifest, pieces_to_bytes, write_pieces
from wd14.scale.output import Output
from wd14.threads import OrderedMap

#: Rows that a study looks at; of more pictures every second one, every third one, ….
STUDIED_ROWS = 1_000_000
#: Threads that write the plan's files. On an object store each write takes a tenth of a second.
_WRITERS = 16

Tick = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Listed:
    """A source's files in numbers."""

    files: int
    size: int
    sha256: str


def look_over(listing: Listing, tick: Tick) -> Listed:
    """Counts and hashes a source's files: their names, sizes and stamps. About two seconds a million.

    Args:
        listing: the source.
        tick: is told how many files were seen.
    """
    digest = hashlib.sha256()
    files = size = 0
    for found in listing.files():
        digest.update(f"{found.relative}\0{found.size}\0{found.stamp}\n".encode(errors="surrogateescape"))
        files += 1
        size += found.size
        if not files % 1000:
            tick(files)
    return Listed(files, size, digest.hexdigest())


def describe(
    listing: Listing, listed: Listed, config: CaptionConfig, model: ModelFiles, *, form: Format, shard_rows: int
) -> Manifest:
    """The manifest of a run as it is asked for, with nothing cut yet: `shards` is 0.

    Raises:
        ConfigError: a file that a parameter names cannot be read.
    """
    return Manifest(
        source=listing.place.url,
        source_name=listing.name,
        kind=listing.kind,
        files=listed.files,
        size=listed.size,
        listing=listed.sha256,
        columns=dict(listing.columns),
        model=config.model,
        model_identity=model.identity,
        tags=len(model.labels),
        scoring=parameters.scoring_parameters(config) | {"files": parameters.file_hashes(config)},
        parameters=parameters.frozen_parameters(config, model.thresholds),
        given=tuple(sorted(config.model_fields_set)),
        format=form,
        shard_rows=shard_rows,
        shards=0,
        rows=None,
        study_every=1,
        pieces="",
        made_by=f"{MADE_BY} {wd14.__version__}",
    )


def as_frozen(
    frozen: Manifest, source: str, config: CaptionConfig, model: ModelFiles, *, form: Format, shard_rows: int
) -> Manifest:
    """The manifest of a run as it is asked for, where nobody looks into the source: its files are taken as planned.

    Raises:
        ConfigError: a file that a parameter names cannot be read.
    """
    is_place = "://" in source or Path(source).expanduser().exists()
    return replace(
        frozen,
        source=Place(source).url if is_place and not frozen.source.startswith("hf://") else frozen.source,
        model=config.model,
        model_identity=model.identity,
        scoring=parameters.scoring_parameters(config) | {"files": parameters.file_hashes(config)},
        parameters=parameters.frozen_parameters(config, model.thresholds),
        given=tuple(sorted(config.model_fields_set)),
        format=form,
        shard_rows=shard_rows,
    )


def plan_run(output: Output, listing: Listing, config: CaptionConfig, asked: Manifest, tick: Tick) -> Manifest:
    """Cuts the source into shards, writes their pieces, and then the manifest: there is a plan, or there is none.

    Memory does not grow with the number of rows. Of 10^8 pictures in tars the plan is 10,000 small files.

    Args:
        output: where the run is to be.
        listing: the source.
        config: the parameters.
        asked: what `describe` gave.
        tick: is told how many shards were planned, and may raise to end it.

    Raises:
        EmptySourceError: the source has no row.
        SourceError: a file of it cannot be read.
        PlaceError: the plan cannot be written.
    """
    cut = _cut(listing, config, asked, lambda shard, data: write_pieces(output, shard, data), tick)
    if not cut.shards or cut.rows == 0:
        raise EmptySourceError(f"{asked.source} holds no picture")
    return _write_manifest(output, asked, cut)


def mend_plan(output: Output, listing: Listing, config: CaptionConfig, frozen: Manifest, tick: Tick) -> None:
    """Writes those files of a plan again that have gone.

    Raises:
        ScaleError: this version of the program cuts the source otherwise.
        SourceError: a file of it cannot be read.
        PlaceError: the plan cannot be read or written.
    """
    there = set((output.root / "plan").names())
    gone = {shard for shard in range(frozen.shards) if output.pieces(shard).name not in there}
    if not gone:
        return
    if _cut(listing, config, frozen, lambda *_: None, tick).pieces != frozen.pieces:
        raise ScaleError(
            f"{output.pieces(min(gone))} has gone, and {wd14.__version__} cuts the source otherwise than"
            f" {frozen.made_by} did: run that version, or begin again with another OUTPUT"
        )

    def write(shard: int, data: bytes) -> None:
        if shard in gone:
            write_pieces(output, shard, data)

    _cut(listing, config, frozen, write, tick)


@dataclass(frozen=True, slots=True)
class _Cut:
    """How a source was cut."""

    shards: int
    rows: int | None  #: None where they were not counted
    pieces: str  #: sha256 of the pieces of all shards


def _cut(
    listing: Listing, config: CaptionConfig, asked: Manifest, take: Callable[[int, bytes], None], tick: Tick
) -> _Cut:
    """Cuts a source; `take` is given each shard's number and pieces, by several threads."""
    digest, shards, rows = hashlib.sha256(), 0, 0
    counted = True

    def write(numbered: tuple[int, tuple[Piece, ...]]) -> tuple[bytes, int | None]:
        shard, pieces = numbered
        data = pieces_to_bytes(pieces, asked, shard)
        take(shard, data)
        known = [piece.rows for piece in pieces if piece.rows is not None]
        return hashlib.sha256(data).digest(), sum(known) if len(known) == len(pieces) else None

    cut = enumerate(listing.shards(config, asked.shard_rows))
    writing = OrderedMap(write, cut, workers=_WRITERS, window=2 * _WRITERS, name="wd14-plan")
    try:
        for each, number in writing:
            digest.update(each)
            shards += 1
            rows += number or 0
            counted = counted and number is not None
            tick(shards)
    finally:
        writing.close()
    return _Cut(shards, rows if counted else None, digest.hexdigest())


def _write_manifest(output: Output, asked: Manifest, cut: _Cut) -> Manifest:
    expected = cut.shards * asked.shard_rows if cut.rows is None else cut.rows
    manifest = replace(
        asked,
        shards=cut.shards,
        rows=cut.rows,
        study_every=-(-expected // STUDIED_ROWS),
        pieces=cut.pieces,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    output.manifest.write(manifest.to_json().encode())
    return manifest


def check_same(frozen: Manifest, asked: Manifest, config: CaptionConfig, output: str) -> None:
    """Looks whether the run that is asked for is the one that an output holds.

    Args:
        frozen: the output's.
        asked: what `describe` gave.
        config: the parameters.
        output: the output's name, for the message.

    Raises:
        ConfigError: it is another one; says in what, and what to do.
    """
    differing = list(_differing(frozen, asked))
    if not differing:
        return
    words = f"{output} holds another run: {'; '.join(differing[:5])}"
    if len(differing) > 5:
        words += f"; and {len(differing) - 5} more"
    if frozen.listing != asked.listing and len(differing) == 1:
        words += (
            ". Put its files back, name another OUTPUT for a new run, or finish this one with the shards whose files"
            " are as they were: --skip-failed"
        )
    else:
        words += ". Name another OUTPUT for a new run, or repeat what the first one was given"
    if _shapes_captions_only(frozen, asked):
        command = command_in_words(output, config, command="scale", output=("NEW_OUTPUT",))
        words += f". Only how captions are made is another; from the stored scores, without the model: {command}"
    raise ConfigError(words)


def _differing(frozen: Manifest, asked: Manifest) -> Iterator[str]:
    """What differs, in words: `old -> new`."""
    if frozen.source != asked.source:
        yield f"source: {frozen.source} -> {asked.source}"
    elif frozen.kind != asked.kind:
        yield f"the source is read as: {frozen.kind} -> {asked.kind}"
    elif frozen.listing != asked.listing:
        yield f"the source has changed: {_source_change(frozen, asked)}"
    if frozen.model_identity != asked.model_identity:
        same_name = frozen.model == asked.model
        yield f"model: {'other files under the name ' + asked.model if same_name else _pair(frozen.model, asked.model)}"
    if frozen.format != asked.format:
        yield f"--format: {_pair(frozen.format, asked.format)}"
    if frozen.shard_rows != asked.shard_rows:
        yield f"--shard-rows: {frozen.shard_rows} -> {asked.shard_rows}"
    yield from _differing_parameters(frozen, asked)


def _differing_parameters(frozen: Manifest, asked: Manifest) -> Iterator[str]:
    old_files, new_files = frozen.scoring.get("files", {}), asked.scoring.get("files", {})
    for key, value in asked.parameters.items():
        if key in old_files or key in new_files:
            if old_files.get(key) != new_files.get(key):
                yield f"{key}: another file, or other content ({value or 'none'})"
        elif key not in parameters.MODEL and frozen.parameters.get(key) != value:
            yield f"{key}: {_pair(frozen.parameters.get(key), value)}"
    if asked.parameters.get("caption_style") != "kohya" and frozen.given != asked.given:
        for key in sorted((set(frozen.given) ^ set(asked.given)) - parameters.HOW):
            if key in asked.parameters and frozen.parameters.get(key) == asked.parameters[key]:
                yield f"{key}: {'given' if key in frozen.given else 'not given'} before (it counts beside a style)"


def _source_change(frozen: Manifest, asked: Manifest) -> str:
    if frozen.files == asked.files and frozen.size == asked.size:
        return "files of the same sizes are newer or have other names"
    return f"{frozen.files:,} files of {frozen.size:,} bytes -> {asked.files:,} files of {asked.size:,} bytes"


def _pair(old: object, new: object) -> str:
    return f"{_short(old)} -> {_short(new)}"


def _short(value: object) -> str:
    text = str(value) if value not in ("", None, (), [], {}) else "empty"
    return text if len(text) <= 60 else f"{text[:60]}…"


def _shapes_captions_only(frozen: Manifest, asked: Manifest) -> bool:
    """Whether stored scores would do: same source, model and scoring."""

    def what_scores_need(manifest: Manifest) -> tuple[Any, ...]:
        scoring: Mapping[str, Any] = {key: value for key, value in manifest.scoring.items() if key != "files"}
        return (manifest.source, manifest.kind, manifest.listing, manifest.model_identity, scoring)

    return what_scores_need(frozen) == what_scores_need(asked)
