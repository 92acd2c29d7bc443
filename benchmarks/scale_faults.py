"""Kills a run of `scale` at random moments, and compares what comes out with a run that nobody disturbed.

    python -m benchmarks.scale_faults FOLDER --pictures 120000 --kills 10 --engine ray

Half of the pictures lie in tar archives, half in Parquet files. Both are captioned once by `--engine local` with one
worker, and once by the engine of the command line with two, of which a worker, the driver, or every process is killed
(SIGKILL) at random moments; what is killed is started again. Every file but markers, attempts and what names a time is
compared byte for byte, every id must be there once, and the memory of the workers is printed as they go. With `--s3`
source and output of the killed run lie on an S3 server on this machine (moto).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.onnx_models import wd14_folder
from tests.support.s3_server import Bucket, s3_server
from tests.support.scale_sets import mixed_sets

#: What depends on the moment, and not on the pictures.
_OF_THE_MOMENT = ("done/", "attempts/", "running/", "manifest.json", "provenance.json")
_KINDS = ("worker", "driver", "everything")


def _processes() -> dict[int, tuple[int, str, int]]:
    """Parent, command line and resident bytes of every process."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            resident = int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, IndexError):  # it has gone
            continue
        found[int(folder.name)] = (parent, command, resident)
    return found


def _family(pid: int) -> dict[int, tuple[int, str, int]]:
    """A process and all that it started."""
    everyone = _processes()
    family = {pid} & everyone.keys()
    while more := {each for each, (parent, _, _) in everyone.items() if parent in family} - family:
        family |= more
    return {each: everyone[each] for each in family}


def _workers(pid: int) -> dict[int, int]:
    """Resident bytes of the workers of a driver."""
    return {
        each: resident
        for each, (_, command, resident) in _family(pid).items()
        if "spawn_main" in command or command.startswith("ray::MapWorker")
    }


@dataclass
class Run:
    """A run of `scale`, started again until it is complete."""

    words: list[str]
    log: Path
    kills: list[str] = field(default_factory=list)
    memory: list[tuple[float, list[int]]] = field(default_factory=list)

    def to_its_end(self, kills: int, within: float, chance: random.Random) -> float:
        """Runs it, with so many kills within so many seconds each; gives the seconds that it took."""
        started = time.monotonic()
        while True:
            with self.log.open("ab") as log:
                driver = subprocess.Popen(self.words, stdout=log, stderr=log, start_new_session=True)
            status = self._watch(driver, kills, within, chance, started)
            if status == 0:
                return time.monotonic() - started
            if status != -signal.SIGKILL:
                sys.exit(f"The run ended with status {status}: see {self.log}")

    def _watch(
        self, driver: subprocess.Popen[bytes], kills: int, within: float, chance: random.Random, started: float
    ) -> int:
        kill_at = time.monotonic() + chance.uniform(0.5, within)
        early = chance.random() < 0.2  # while it starts
        while driver.poll() is None:
            time.sleep(0.2)
            workers = _workers(driver.pid)
            if workers:
                self.memory.append((time.monotonic() - started, sorted(workers.values(), reverse=True)))
            if len(self.kills) < kills and time.monotonic() > kill_at:
                kind = _KINDS[len(self.kills) % len(_KINDS)]
                if not workers and not (early and kind != "worker"):
                    continue
                self._kill(driver.pid, kind, list(workers), chance)
                kill_at = time.monotonic() + chance.uniform(0.5, within)
        return driver.wait()

    def _kill(self, driver: int, kind: str, workers: list[int], chance: random.Random) -> None:
        doomed = {"worker": [chance.choice(workers)] if workers else [], "driver": [driver]}.get(
            kind, sorted(_family(driver))
        )
        for pid in doomed:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.kills.append(kind)
        print(f"  killed: {kind} ({len(doomed)} processes)", flush=True)


def _files(folder: Path) -> dict[str, str]:
    """The sha256 of every file that is to be the same."""
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not (name := path.relative_to(folder).as_posix()).startswith(_OF_THE_MOMENT)
    }


def _ids(folder: Path) -> Iterator[str]:
    import pyarrow.parquet as pq

    for path in sorted((folder / "shards").glob("*.parquet")):
        yield from pq.read_table(path, columns=["id"])["id"].to_pylist()


def _compare(source: str, expected: Path, found: Path, pictures: int) -> bool:
    one, other = _files(expected), _files(found)
    differing = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    ids = list(_ids(found))
    print(f"  {source}: {len(one)} files compared, {len(differing)} differ {differing[:5]}")
    print(f"  ids: {len(ids):,}, {pictures - len(set(ids)):,} lost, {len(ids) - len(set(ids)):,} twice", flush=True)
    return not differing and len(ids) == len(set(ids)) == pictures


@contextmanager
def _bucket(folder: Path) -> Iterator[Bucket]:
    """A bucket with the pictures, which this process and all that it starts can reach."""
    with s3_server() as port:
        bucket = Bucket(folder, port, "faults")
        os.environ.update(bucket.env, AWS_PROFILE="default")
        for name in ("tars", "tables"):
            bucket.fill(folder / name, below=f"{name}/")
        yield bucket


def _one_source(name: str, given: argparse.Namespace, bucket: Bucket | None, chance: random.Random) -> bool:
    """Captions a source twice, and compares."""
    folder: Path = given.folder
    quiet, disturbed = folder / f"{name}-quiet", folder / f"{name}-{given.engine}"
    place = f"s3://{bucket.name}/" if bucket else f"{folder}/"
    scale = [sys.executable, "-m", "wd14.cli", "scale"]
    options = ["--custom-model", str(folder / "model"), "--shard-rows", str(given.shard_rows)]
    alone = Run([*scale, f"{place}{name}", str(quiet), *options], folder / f"{name}-quiet.log")
    print(f"{name}: undisturbed {alone.to_its_end(0, 0.5, chance):.0f} s", flush=True)
    options += ["--engine", given.engine, "--workers", "2"]
    run = Run([*scale, f"{place}{name}", f"{place}{disturbed.name}", *options], folder / f"{disturbed.name}.log")
    seconds = run.to_its_end(given.kills, given.within, chance)
    print(f"{name}: {given.engine}, {len(run.kills)} kills, {seconds:.0f} s")
    for what, memory in (("undisturbed", alone.memory), (given.engine, run.memory)):
        steps = memory[:: max(1, len(memory) // 8)]
        print(f"  MB of the largest worker, {what}:", *(f"{each[0] >> 20}" for _, each in steps))
    if bucket is not None:
        disturbed.mkdir()
        bucket.copy_to(disturbed, below=f"{disturbed.name}/")
    return _compare(name, quiet, disturbed, given.pictures // 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=120_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--within", type=float, default=25.0, help="seconds between two kills, at most")
    parser.add_argument("--engine", default="ray")
    parser.add_argument("--shard-rows", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--s3", action="store_true")
    given = parser.parse_args()
    given.folder = given.folder.absolute()
    if not (given.folder / "model").exists():
        (given.folder / "model").mkdir(parents=True)
        wd14_folder(given.folder / "model", size=32)
        print("making the pictures", flush=True)
        list(mixed_sets(given.folder, given.pictures // 2))
    chance = random.Random(given.seed)
    with _bucket(given.folder) if given.s3 else nullcontext() as bucket:
        fine = [_one_source(name, given, bucket, chance) for name in ("tars", "tables")]
    sys.exit(0 if all(fine) else 1)


if __name__ == "__main__":
    main()
