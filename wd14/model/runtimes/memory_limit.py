"""The memory that a model may take on the CPU. Imports no onnxruntime: it is handed the module.

A graph of a few bytes can ask for any amount: a tensor of a given shape, a loop that doubles what it has. What a run
allocates comes from onnxruntime's arena, which can have a limit if the process's sessions share it. Constant folding,
which computes parts of the graph while a session opens, uses no arena, and is left out for graphs that are not known;
it was measured to gain nothing for taggers.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable
from typing import Any

from wd14.model.files.model_files import ModelFiles

#: The limit: so many bytes, and so many times the size of the model's files. The largest known tagger needs 1.4 times
#: its files, and 0.1 GB for each picture of a batch; a batch that does not fit goes through in halves.
BYTES = 4 << 30
TIMES_FILES = 4

_lock = threading.Lock()
_registered = False
_largest = 0  # bytes of the files of the largest model that the process will open, as far as it was told


def make_room(models: Iterable[ModelFiles]) -> None:
    """Makes the limit large enough for each of these models; to be called before the first session opens."""
    global _largest  # noqa: PLW0603 - as below
    with _lock:
        _largest = max((_largest, *(sum(file.size for file in model.hashes) for model in models)))


def limit_memory(ort: Any, options: Any, *, files: int, pinned: bool) -> None:
    """Bounds what a session takes on the CPU. The first session of a process sets the limit for all: see `make_room`.

    Args:
        ort: onnxruntime.
        options: of the session.
        files: bytes of the model's files.
        pinned: whether the graph is known to be harmless.
    """
    global _registered  # noqa: PLW0603 - onnxruntime has one allocator for a process
    with _lock:
        if not _registered:
            cpu = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
            arena = ort.OrtArenaCfg({"max_mem": BYTES + TIMES_FILES * max(files, _largest)})
            with contextlib.suppress(RuntimeError):  # the program that we are part of has registered its own
                ort.create_and_register_allocator(cpu, arena)
            _registered = True
    options.add_session_config_entry("session.use_env_allocators", "1")
    if not pinned:
        options.add_session_config_entry("optimization.disable_specified_optimizers", "ConstantFolding")
