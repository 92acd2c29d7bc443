"""`--push-to-hub`, by the real client, to a hub on this machine."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.dataset_hub import TOKEN, DatasetHub, dataset_hub, environment_of
from wd14.scale.marker import Marker

REPO = "me/captions"

#: The client reads its endpoint when it is imported: each push is a process of its own.
_JOB = """
import json, sys
from types import SimpleNamespace
from wd14.errors import CaptionerError
from wd14.places import Place
from wd14.process import run_to_its_end
from wd14.scale import push as pushing
from wd14.scale.output import Output
from wd14.stop import StopToken
def push():
    result = {"said": [], "ticks": []}
    pushing._FIRST_WAIT, pushing._MOST_FILES = 0.01, 2
    output, manifest = Output(Place(sys.argv[1])), SimpleNamespace(hash=sys.argv[2], shards=4, phases=("score", "plan"))
    try:
        result["url"] = pushing.push(
            output, manifest, sys.argv[3], say=result["said"].append,
            tick=lambda *values: result["ticks"].append(values), stop=StopToken(),
        )
    except CaptionerError as error:
        result |= {"error": f"{type(error).__name__}: {error}", "code": error.exit_code}
    print(json.dumps(result))
run_to_its_end(push)
"""


def push(
    hub: DatasetHub, tmp_path: Path, output: str | Path, *, run: str = "run-1", repo: str = REPO, **more: str
) -> dict[str, Any]:
    environment = environment_of(hub, tmp_path) | {"HF_HUB_DISABLE_XET": "1", "HF_TOKEN": TOKEN} | more
    done = subprocess.run(
        [sys.executable, "-c", _JOB, str(output), run, repo],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Upload" not in done.stderr  # the client's own bars
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def put_shard(output: Path, shard: int, data: bytes, *, is_complete: bool = True) -> None:
    for folder in ("shards", "done", "captioned"):
        (output / folder).mkdir(parents=True, exist_ok=True)
    (output / f"shards/{shard:05d}.parquet").write_bytes(data)
    marker = Marker(shard, "run-1", 1, 1, size=len(data), sha256=hashlib.sha256(data).hexdigest())
    for folder in ("done", "captioned") if is_complete else ("done",):
        (output / f"{folder}/{shard:05d}.json").write_bytes(marker.to_bytes())


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """What a run of three shards and one that was set aside left: its captions were not made by the plan."""
    folder = tmp_path / "output"
    for shard in range(3):
        put_shard(folder, shard, b"PAR1 %d" % shard * 300)
    put_shard(folder, 3, b"half", is_complete=False)
    for name in ("README.md", "report.json", "provenance.json"):
        (folder / name).write_text(name)
    (folder / "manifest.json").write_text("{}")
    return folder


def test_a_dataset_is_sent_whole_and_again_only_what_is_missing(tmp_path: Path, output: Path) -> None:
    with dataset_hub({}) as hub:
        hub.answers = [("/commit/", 503), ("/commit/", 429)]
        first = push(hub, tmp_path, output)
        assert first["url"] == f"{hub.url}/datasets/{REPO}"
        assert "private" in first["said"][-1]
        assert hub.private == {REPO}
        files = hub.repos[REPO]
        expected = {path: (output / path).read_bytes() for path in ("README.md", "report.json", "provenance.json")}
        expected |= {f"shards/{shard:05d}.parquet": b"PAR1 %d" % shard * 300 for shard in range(3)}
        assert {path: files[path] for path in expected} == expected
        assert files.keys() - expected == {".gitattributes", ".wd14/run.json"}
        assert "README.md" in hub.commits[-1]
        assert first["ticks"] == [[2, 6, "sent"], [4, 6, "sent"], [6, 6, "sent"]]

        sent = len(hub.commits)
        del files["shards/00001.parquet"]
        put_shard(output, 2, b"PAR1 again")
        again = push(hub, tmp_path, output)
        assert hub.commits[sent:] == [["shards/00001.parquet", "shards/00002.parquet"]]
        assert files["shards/00002.parquet"] == b"PAR1 again"
        assert "(4 are there)" in again["said"][0]
        assert push(hub, tmp_path, output)["ticks"] == []


@pytest.mark.parametrize(
    ("files", "more", "words", "code"),
    [
        ({"theirs.csv": b"a"}, {}, "holds files of others (such as theirs.csv)", 1),
        ({".wd14/run.json": b'{"manifest": "run-0"}\n'}, {}, "holds the dataset of another run", 1),
        (None, {"HF_TOKEN": "hf_read"}, "does not accept the token: set HF_TOKEN", 1),
        (None, {"HF_TOKEN": ""}, "needs a token with the right to write: set HF_TOKEN", 2),
        (None, {"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE", 1),
        (None, {"HF_ENDPOINT": "http://127.0.0.1:9"}, "cannot be reached", 1),
        (None, {"repo": "captions"}, "expected OWNER/NAME", 2),
    ],
)
def test_what_cannot_be_sent_is_said(
    tmp_path: Path, output: Path, files: dict[str, bytes] | None, more: dict[str, str], words: str, code: int
) -> None:
    with dataset_hub({} if files is None else {REPO: files}) as hub:
        result = push(hub, tmp_path, output, **more)
        assert words in result["error"]
        assert result["code"] == code
        assert "hf_" not in json.dumps(result)
        assert hub.commits == []


def test_a_token_without_the_right_to_write_and_a_shard_that_is_not_its_own_are_said(
    tmp_path: Path, output: Path
) -> None:
    with dataset_hub({}) as hub:
        hub.answers = [("/commit/", 403)]
        assert f"the token may not write to {REPO}" in push(hub, tmp_path, output)["error"]
        (output / "shards/00000.parquet").write_bytes(b"PAR1 another")
        assert "shards/00000.parquet is not what its marker says" in push(hub, tmp_path, output)["error"]
