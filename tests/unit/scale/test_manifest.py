"""The manifest and the pieces: what is written is read again, and what was changed is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.scale_sets import picture_folder
from tests.support.scale_workers import planned
from wd14.config import CaptionConfig
from wd14.data.pieces import Piece
from wd14.errors import ScaleError
from wd14.places import Place
from wd14.published import Published
from wd14.scale.manifest import Manifest, pieces_to_bytes, read_manifest, read_pieces, write_pieces
from wd14.scale.marker import Done, Marker, read_markers
from wd14.scale.output import Output
from wd14.scale.parameters import frozen_parameters
from wd14.scale.phases import counts_of, shards_of


@pytest.fixture
def output(tmp_path: Path) -> Output:
    pictures = picture_folder(tmp_path / "pictures", 10)
    planned(pictures, tmp_path / "out", rows=3, custom_model="builtin/colours")
    return Output(Place(tmp_path / "out"))


def manifest_of(output: Output) -> Manifest:
    manifest = read_manifest(output)
    assert manifest is not None
    return manifest


def test_pieces_are_read_as_they_were_written(output: Output) -> None:
    manifest = manifest_of(output)
    pieces = (Piece("ä/b.png", 7, "stamp", 0, -1, 1), Piece("c.tar", 9, "", 512, 2048, None))
    write_pieces(output, 0, pieces_to_bytes(pieces, manifest, 0))
    assert read_pieces(output, manifest, 0) == pieces
    output.pieces(1).local.write_bytes(b"\x1f\x8bno")
    with pytest.raises(ScaleError, match="no part of the plan"):
        read_pieces(output, manifest, 1)
    output.pieces(2).write(output.pieces(0).read())
    with pytest.raises(ScaleError, match="of another shard"):
        read_pieces(output, manifest, 2)
    output.pieces(2).remove()
    with pytest.raises(ScaleError, match="has gone"):
        read_pieces(output, manifest, 2)
    with pytest.raises(ScaleError, match="no number 99"):
        read_pieces(output, manifest, 99)


def test_a_manifest_that_somebody_changed_is_refused(output: Output) -> None:
    whole = json.loads(output.manifest.read())
    output.manifest.write(json.dumps(whole | {"shard_rows": 5}).encode())
    with pytest.raises(ScaleError, match="was changed"):
        read_manifest(output)
    output.manifest.write(b'{"a": 1}')
    with pytest.raises(ScaleError, match=r"manifest\.json is no manifest"):
        read_manifest(output)


def test_markers_come_in_the_order_of_their_shards(output: Output) -> None:
    manifest = replace(manifest_of(output), shards=100_001)
    for shard in (100_000, 99_999):
        output.marker("score", shard).write(Marker(shard, manifest.hash, rows=1, captioned=1).to_bytes())
    assert [marker.shard for marker in read_markers(output, manifest, "score")] == [99_999, 100_000]


def test_parts_share_all_shards_and_count_their_own(output: Output) -> None:
    manifest = manifest_of(output)
    parts = [shards_of(manifest, (index, 3)) for index in range(3)]
    assert sorted(shard for part in parts for shard in part) == list(range(manifest.shards))
    done = Done(shards={0, 1}, rows=6)
    assert counts_of(manifest, done, None).rows_done == 6
    assert [counts_of(manifest, done, (index, 3)).shards_done for index in range(3)] == [1, 1, 0]


def test_a_given_threshold_is_another_run_where_the_model_would_use_its_own() -> None:
    own = Published({"all": 0.55}, is_preferred=True)
    config, given = CaptionConfig(), CaptionConfig.from_values({"thresh": "0.35"})
    assert frozen_parameters(config, own) != frozen_parameters(given, own)
    assert frozen_parameters(config, Published()) == frozen_parameters(given, Published())
