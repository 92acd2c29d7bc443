"""A bucket: an fsspec filesystem for `s3://` whose objects are files under `BUCKET_FOLDER`, and which has no folders.

Run as a program it puts itself in the place of the real one and then starts the task: `python bucket.py main.py`.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path
from typing import Any

import fsspec
import fsspec.implementations.local  # as the real s3fs has it loaded, and the SDK relies on
from fsspec.spec import AbstractFileSystem


class Bucket(AbstractFileSystem):  # type: ignore[misc]
    """As an object store is seen through fsspec: a folder is there when an object's key begins with it."""

    protocol = ("s3", "s3a")
    cachable = False

    @property
    def _root(self) -> Path:
        return Path(os.environ["BUCKET_FOLDER"])

    def _file(self, path: str) -> Path:
        return self._root / str(self._strip_protocol(path)).strip("/")

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        place = self._file(path)
        if not place.exists():
            raise FileNotFoundError(path)
        files = [place] if place.is_file() else sorted(each for each in place.iterdir())
        found = [self._entry(each) for each in files if each.is_file() or any(each.rglob("*"))]
        return found if detail else [each["name"] for each in found]

    def _entry(self, file: Path) -> dict[str, Any]:
        name = file.relative_to(self._root).as_posix()
        kind = "file" if file.is_file() else "directory"
        return {"name": name, "size": file.stat().st_size if file.is_file() else 0, "type": kind}

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        place = self._file(path)
        if not place.exists():
            raise FileNotFoundError(path)
        return self._entry(place)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """There are no folders to make."""

    def mkdir(self, path: str, create_parents: bool = True, **_: Any) -> None:
        """There are no folders to make."""

    def rm(self, path: str, recursive: bool = False, maxdepth: int | None = None) -> None:
        for file in self.find(path):
            self._file(file).unlink()

    def _open(self, path: str, mode: str = "rb", **_: Any) -> Any:
        if os.environ.get("BUCKET_REFUSES", "\0") in path and "w" in mode:
            raise PermissionError(f"Access Denied: {path}")
        place = self._file(path)
        if "r" not in mode:
            place.parent.mkdir(parents=True, exist_ok=True)
        return place.open(mode)


if __name__ == "__main__":
    fsspec.register_implementation("s3", Bucket, clobber=True)
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
