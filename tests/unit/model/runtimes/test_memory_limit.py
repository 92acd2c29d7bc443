from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from wd14.model.runtimes import memory_limit


def test_the_first_session_leaves_room_for_a_larger_model_to_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_limit, "_registered", False)
    monkeypatch.setattr(memory_limit, "_largest", 0)
    limits: list[dict[str, int]] = []
    ort = SimpleNamespace(
        OrtMemoryInfo=lambda *_: None,
        OrtAllocatorType=SimpleNamespace(ORT_ARENA_ALLOCATOR=0),
        OrtMemType=SimpleNamespace(DEFAULT=0),
        OrtArenaCfg=lambda options: options,
        create_and_register_allocator=lambda _, options: limits.append(options),
    )
    options: Any = SimpleNamespace(add_session_config_entry=lambda *_: None)
    models: list[Any] = [SimpleNamespace(hashes=[SimpleNamespace(size=size)] * 2) for size in (100, 4000, 9)]
    memory_limit.make_room(models)
    memory_limit.make_room([])
    for size in (200, 8000):
        memory_limit.limit_memory(ort, options, files=size, pinned=True)
    assert limits == [{"max_mem": (4 << 30) + 4 * 8000}]
