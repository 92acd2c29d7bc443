"""Removes the half-written files that killed workers left in an output on this machine or on a shared disk."""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path

from wd14.scale.output import Output

#: What `Place.writing` names a file that is being written.
_PARTIAL = re.compile(r"\..+\.[0-9a-f]{8}\.partial", re.DOTALL)
#: Folders that only workers write to.
_OF_WORKERS = ("shards", "summaries", "done", "captioned")
#: Seconds after which a file that is no worker's is nobody's.
_OLD = 600.0


def clear_leftovers(output: Output) -> None:
    """Removes half-written files, once all shards are done: a worker that still writes one writes what is there.

    Files that a driver writes are left for ten minutes: another part of the same run may be merging as well. Object
    stores have no such files.
    """
    if not output.root.is_local:
        return
    root = output.root.local
    for folder, age in ((root, _OLD), (root / "plan", _OLD), *((root / name, 0.0) for name in _OF_WORKERS)):
        if folder.is_dir():
            for path in folder.iterdir():
                if _PARTIAL.fullmatch(path.name):
                    _remove(path, age)


def _remove(path: Path, age: float) -> None:
    with contextlib.suppress(OSError):  # somebody else removed it, or may
        if time.time() - path.lstat().st_mtime >= age and path.is_file():
            path.unlink()
