from __future__ import annotations

from pathlib import Path

import pytest

from wd14.model import machine
from wd14.model.files.registry import find
from wd14.model.machine import Machine, memory_needed, size_of, this_machine
from wd14.model.runtimes.devices import CPU, usable_gpu

SMALL = "SmilingWolf/wd-v1-4-convnext-tagger-v2"
LARGE = "noaione/pixai-tagger-v1.0-onnx"


@pytest.mark.parametrize(
    ("name", "here", "expected"),
    [
        (SMALL, Machine(2_000_000_000, None), "yes"),
        (SMALL, Machine(1_000_000_000, None), "no"),
        (SMALL, Machine(None, None), "yes"),
        (LARGE, Machine(32_000_000_000, None), "slow"),
        (LARGE, Machine(32_000_000_000, "cuda"), "yes"),
        (LARGE, Machine(4_000_000_000, "cuda"), "no"),
        ("toynya/Z3D-E621-Convnext", Machine(32_000_000_000, None), None),  # its size was not published
    ],
)
def test_which_models_suit_a_machine(name: str, here: Machine, expected: str | None) -> None:
    model = find(name)
    assert model is not None
    assert here.suits(model) == expected


def test_a_model_needs_more_memory_than_all_its_files_have() -> None:
    model = find(LARGE)
    assert model is not None
    size = size_of(model)
    assert size == 2_633_225 + 1_955_123_200 + 816_539
    assert size < (memory_needed(model) or 0)


def test_the_limit_of_a_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {
        "/proc/meminfo": "MemTotal: 64000000 kB\nMemAvailable: 32000000 kB\n",
        "/sys/fs/cgroup/memory.max": "4000000000\n",
        "/sys/fs/cgroup/memory.current": "3000000000\n",
        "/sys/fs/cgroup/memory.stat": "anon 1\ninactive_file 500000000\n",
    }
    monkeypatch.setattr(machine, "_text", lambda path: texts.get(path, ""))
    assert this_machine().memory == 1_500_000_000
    texts["/sys/fs/cgroup/memory.max"] = "max\n"
    assert this_machine().memory == 32_000_000 * 1024
    texts.clear()
    assert this_machine().memory is None


def test_a_gpu_that_is_not_there_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert usable_gpu(["CUDAExecutionProvider", CPU]) is None
    assert usable_gpu(["CUDAExecutionProvider", "DmlExecutionProvider", CPU]) == "directml"
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.undo()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert usable_gpu(["CUDAExecutionProvider", CPU]) == "cuda"
