"""Real pictures, and the command line as a user calls it."""

from __future__ import annotations

import gc
import os
import secrets
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import Browser, Tab
from tests.support.review_core import open_core
from tests.support.s3_server import s3_server
from wd14.scale.ray_cluster import import_ray

ROOT = Path(__file__).parents[2]
#: Photographs that scikit-image and scikit-learn ship.
PHOTOGRAPHS = {"skimage": ["astronaut.png", "camera.png", "coffee.png", "rocket.jpg"], "sklearn": ["china.jpg"]}

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def _photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    for package, names in PHOTOGRAPHS.items():
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        for name in names:
            found = sorted(Path(spec.origin).parent.rglob(name))
            shutil.copy(found[0], folder / name)
    return folder


@pytest.fixture
def photos(_photographs: Path, tmp_path: Path) -> Path:
    """A folder of photographs of the test's own: astronaut, camera, china, coffee, rocket."""
    return Path(shutil.copytree(_photographs, tmp_path / "photos"))


@pytest.fixture
def cli(tmp_path: Path) -> Run:
    """Calls `wd14-captioner` in a process of its own, in the test's folder."""

    def run(*words: str | Path, **more: object) -> subprocess.CompletedProcess[str]:
        env = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [sys.executable, "-m", "wd14.cli", *map(str, words)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=env,
            timeout=120,
            check=False,
            **more,  # type: ignore[call-overload]
        )
        return done

    return run


@pytest.fixture(scope="session")
def s3_port() -> Iterator[str]:
    """The port of an S3 server, one for all tests: each makes a bucket of its own."""
    pytest.importorskip("moto", reason="the S3 server `moto` is not installed")
    with s3_server() as port:
        yield port


@pytest.fixture(scope="session")
def ray_of_two_cores() -> Iterator[Any]:
    """Ray on this machine, once for all tests: it takes seconds to start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(16))  # else it writes one into the user's home
        ray = import_ray()
        with _what_ray_leaves_open():
            ray.init("local", num_cpus=2, num_gpus=0, object_store_memory=100 << 20, log_to_driver=False)
        yield ray
        with _what_ray_leaves_open():
            ray.shutdown()


@contextmanager
def _what_ray_leaves_open() -> Iterator[None]:
    """Ray 2.52 leaves files and processes of its own to the garbage collection, which warns of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


@pytest.fixture(scope="session")
def core(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """The review page's scripts without its interface, in Chromium."""
    with chromium.person() as tab:
        open_core(tab, tmp_path_factory.mktemp("core"))
        yield tab
