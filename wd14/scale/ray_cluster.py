"""Ray: starting it here or joining a cluster, and how many workers fit. Only `ray_engine` uses it."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wd14.errors import ScaleError
from wd14.regular_files import read_file
from wd14.scale.engines import Resources
from wd14.text import count
from wd14.types import Log

#: Bytes of the object store of a Ray that is started here; only numbers of shards and their outcomes are in it.
_OBJECT_STORE = 100 << 20
#: Seconds in which a cluster must take a connection.
_CONNECT = 10.0
#: Nobody is told of our runs. Left out are a line on every start of a worker that means nothing to a user, that what
#: failed is tried again, and the log of a node that is gone; that a worker died is said.
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # as newer versions do; older ones warn
    "RAY_DEDUP_LOGS_SKIP_REGEX": "infinite retries remaining|Raylet is terminated|marked dead",
}


@dataclass(frozen=True, slots=True)
class Size:
    """The workers, and what each gets."""

    workers: int
    cpus: float
    gpus: float

    def __str__(self) -> str:
        each = f"{self.cpus:g} {'core' if self.cpus == 1 else 'cores'}"
        return each + (f" and {self.gpus:g} {'GPU' if self.gpus == 1 else 'GPUs'}" if self.gpus else "")

    def room(self, nodes: Sequence[Mapping[str, float]]) -> int:
        """How many such workers fit on these nodes."""
        return sum(self._on_one(node) for node in nodes)

    def _on_one(self, node: Mapping[str, float]) -> int:
        # A little more: 3 workers of a third of a core fit on one.
        by_cores = int(node.get("CPU", 0) / self.cpus + 1e-6)
        return min(by_cores, int(node.get("GPU", 0) / self.gpus + 1e-6)) if self.gpus else by_cores


def size_of_workers(nodes: Sequence[Mapping[str, float]], wanted: Resources, shards: int) -> Size:
    """What the workers get where the user did not say: a node's worker all its cores, and a GPU where there is one.

    Args:
        nodes: Ray's resources of each node, such as {"CPU": 8.0, "GPU": 1.0}.
        wanted: what the user said.
        shards: how many there are; more workers are of no use.
    """
    useful = [node for node in nodes if node.get("CPU")] or [{"CPU": 1.0}]
    with_gpu = [node for node in useful if node.get("GPU")]
    if wanted.gpus != 0 and with_gpu:
        useful = with_gpu
    cores = min(node["CPU"] for node in useful)
    chips = 0.0 if wanted.gpus == 0 else min(node.get("GPU", 0.0) for node in useful)
    on_one = max(1, int(chips / wanted.gpus) if wanted.gpus else int(chips))
    if wanted.workers is not None:
        on_one = -(-min(wanted.workers, shards) // len(useful))
    elif wanted.cpus:
        on_one = max(1, min(on_one, int(cores / wanted.cpus)) if chips else int(cores / wanted.cpus))
    # Whole cores where there are any, else hundredths.
    cpus = wanted.cpus or (float(int(cores / on_one)) if cores >= on_one else max(1, int(100 * cores / on_one)) / 100)
    gpus = wanted.gpus if wanted.gpus is not None else (min(1.0, int(100 * chips / on_one) / 100) if chips else 0.0)
    size = Size(1, cpus, gpus)
    return Size(max(1, min(shards, wanted.workers or size.room(nodes))), cpus, gpus)


def import_ray() -> Any:
    """The package.

    Raises:
        ScaleError: it is not installed.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        importlib.import_module("ray.data")
        return importlib.import_module("ray")
    except ImportError as error:
        raise ScaleError(
            f'--engine ray wants Ray, which is not installed ({error}): pip install "wd14-captioner[scale]", '
            "or use --engine local"
        ) from error


@contextmanager
def joined(ray: Any, wanted: Resources, log: Log) -> Iterator[bool]:
    """Ray is there in the block; gives whether the cluster is ours alone. A Ray that was there before is left alone.

    Raises:
        ScaleError: no cluster answers at the address, or none can be started here.
    """
    if ray.is_initialized():
        yield False
        return
    address = wanted.address or os.environ.get("RAY_ADDRESS") or "local"
    ours = address == "local"
    _check(address)
    options: dict[str, Any] = {"include_dashboard": True, "object_store_memory": _OBJECT_STORE} if ours else {}
    try:
        with _own_signals():
            context = ray.init(address, logging_level=logging.ERROR, log_to_driver=False, **options)
    # What Ray raises here is of all kinds, AssertionError among them; each means that there is no cluster.
    except Exception as error:
        where = "started on this machine" if ours else f"reached at {address}"
        hint = "" if ours else "; `ray status` on its head says whether it runs, and both must have the same versions"
        raise ScaleError(f"Ray {ray.__version__} cannot be {where}: {first_line(error)}{hint}") from error
    try:
        url = getattr(context, "dashboard_url", None)
        what = "was started on this machine" if ours else f"runs at {address}"
        log(f"Ray {ray.__version__} {what}" + (f"; its dashboard: http://{url}{_password()}" if url else ""))
        yield ours
    finally:
        ray.shutdown()


def _check(address: str) -> None:
    """Looks whether there can be a cluster: Ray itself tries for more than a minute.

    Raises:
        ScaleError: there cannot.
    """
    if "://" in address:
        raise ScaleError(
            f"Ray Data cannot be driven from outside of its cluster, as through {address}. Start the program on it: "
            "ray job submit --address http://HEAD:8265 -- wd14-captioner scale SOURCE OUTPUT --engine ray"
        )
    if address == "auto":  # the one of this machine, which it notes here; the note outlives it
        note = Path(os.environ.get("RAY_TMPDIR", "/tmp")) / "ray" / "ray_current_cluster"  # noqa: S108 - Ray's own
        address = read_file(note, 1000).decode() if note.is_file() else address
    host, _, port = address.strip().rpartition(":")
    if not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT).close()
    except (OSError, OverflowError) as error:
        raise ScaleError(
            f"No Ray cluster answers at {address} ({error}): `ray status` on its head says whether it runs"
        ) from error


def nodes_of(ray: Any) -> list[Mapping[str, float]]:
    """The resources of every node that is there."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def described(nodes: Sequence[Mapping[str, float]]) -> str:
    """What a cluster has, in words."""
    cores, chips = (sum(node.get(key, 0) for node in nodes) for key in ("CPU", "GPU"))
    largest = max((node.get("CPU", 0) for node in nodes), default=0)
    most = f" (at most {largest:g} on one)" if len(nodes) > 1 else ""
    return f"{count(len(nodes), 'node')} with {cores:g} cores{most} and {chips:g} GPUs"


def _password() -> str:
    return " (`ray get-auth-token` says its token)" if os.environ.get("RAY_AUTH_MODE") == "token" else ""


def first_line(error: BaseException) -> str:
    """What an error says, without the traces that Ray adds."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray puts a handler of its own on SIGTERM, which would end the process wherever it is."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
