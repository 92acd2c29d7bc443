"""The onnxruntime build that `setup.sh` chooses for a GPU, from the versions that the package index really had."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.setup_machine import Machine, program

LIBRARIES_12 = ("nvidia-cuda-runtime-cu12", "12.8.90")
LIBRARIES_13 = ("nvidia-cuda-runtime", "13.0.96")
DRIVER_12 = "CUDA Version: 12.8"
DRIVER_13 = "CUDA Version: 13.0"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("libraries", "driver", "version", "reason"),
    [
        (LIBRARIES_12, DRIVER_12, "1.26.0", "CUDA 12 (the libraries in this environment)"),
        (LIBRARIES_12, DRIVER_13, "1.26.0", "CUDA 12 (the libraries in this environment)"),
        (LIBRARIES_13, DRIVER_13, "1.31.1", "CUDA 13 (the libraries in this environment)"),
        (("nvidia-cuda-runtime-cu13", "0.0.1"), DRIVER_13, "1.31.1", "CUDA 13 (the libraries in this environment)"),
        (LIBRARIES_13, DRIVER_12, "1.26.0", "CUDA 12 (the NVIDIA driver)"),
        (None, DRIVER_12, "1.26.0", "CUDA 12 (the NVIDIA driver)"),
        (None, DRIVER_13, "1.31.1", "CUDA 13 (the NVIDIA driver)"),
        (None, "CUDA UMD Version: 14.1", "1.31.1", "CUDA 13 (the NVIDIA driver)"),
        (None, "", "1.26.0", "CUDA 12 (the NVIDIA driver)"),
    ],
)
def test_an_nvidia_machine_gets_the_newest_build_for_its_cuda(
    machine: Machine, libraries: tuple[str, str] | None, driver: str, version: str, reason: str
) -> None:
    machine.give_nvidia(driver)
    if libraries is not None:
        machine.distribution(*libraries)
    done = machine.setup()
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        f"wd14_captioner: GPU: onnxruntime-gpu {version}, the newest for {reason}.",
        f"wd14_captioner: Ready: onnxruntime {version} CUDAExecutionProvider CPUExecutionProvider",
    ]


@pytest.mark.parametrize(("driver", "version"), [(DRIVER_12, "1.26.0"), (DRIVER_13, "1.31.1")])
def test_a_usual_build_that_is_newer_than_every_gpu_build_is_no_hindrance(
    machine: Machine, driver: str, version: str
) -> None:
    machine.use_build("1.32.0")
    machine.give_nvidia(driver)
    done = machine.setup()
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Ready: onnxruntime {version} CUDAExecutionProvider" in done.stdout
    machine.note("failures", "99")  # a second run needs no network
    done = machine.setup()
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine.installs == []


def test_a_build_that_finds_no_libraries_gets_nvidias(machine: Machine) -> None:
    machine.give_nvidia()
    machine.note("not-found", "libcublas.so.12 libcudnn.so.9")
    machine.note("cuda-wheels")
    done = machine.setup()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "onnxruntime-gpu 1.26.0, the newest for CUDA 12 (the NVIDIA driver), with NVIDIA's libraries." in done.stdout
    assert machine.installs[-1].endswith(" onnxruntime-gpu[cuda,cudnn]")
    held = (machine.home / "held").read_text().split()
    assert {"numpy==2.1.2", "pillow==11.0.0", "onnxruntime-gpu==1.26.0"} <= set(held)


def test_libraries_of_another_cuda_are_not_mixed_with_ours(machine: Machine) -> None:
    """NVIDIA's packages for CUDA 12 and 13 put cuDNN into the same file."""
    machine.give_nvidia(DRIVER_12)
    machine.distribution(*LIBRARIES_13)
    machine.note("not-found", "libcublas.so.12")
    machine.note("cuda-wheels")
    done = machine.setup()
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(machine.installs) == 1
    assert "does not find libcublas.so.12. Everything works on the CPU." in done.stdout


@pytest.mark.parametrize("fault", ["libraries", "providers", "import", "index"])
def test_a_build_that_does_not_work_leaves_the_usual_one(machine: Machine, fault: str) -> None:
    machine.give_nvidia()
    reason = {
        "libraries": "does not find libcudnn.so.9",
        "providers": "does not work here",
        "import": "does not work here",
        "index": "cannot be installed",
    }[fault]
    if fault == "libraries":
        machine.note("not-found", "libcudnn.so.9")
    elif fault == "providers":
        machine.note("providers-of-onnxruntime-gpu", "CPUExecutionProvider")
    elif fault == "import":
        machine.note("providers-of-onnxruntime-gpu", "broken")
    else:
        machine.note("failures", "1")
    done = machine.setup()
    assert done.returncode == 0, done.stdout + done.stderr
    said, advice, ready = done.stdout.splitlines()[-3:]
    assert said.startswith("wd14_captioner: The GPU is not used: onnxruntime-gpu>=1.21,<1.27, the newest for CUDA 12 (")
    assert said.endswith(f", {reason}. Everything works on the CPU.")
    assert advice.endswith("Another build can be named: WD14_ONNXRUNTIME=onnxruntime-gpu==1.23.2 bash setup.sh")
    assert ready == "wd14_captioner: Ready: onnxruntime 1.21.0 CPUExecutionProvider"
    assert not list(machine.site.glob("onnxruntime_gpu*"))


def test_a_driver_that_is_too_old_is_said(machine: Machine) -> None:
    machine.give_nvidia("CUDA Version: 11.4")
    done = machine.setup()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The GPU is not used: its driver is for CUDA 11, and 12 or newer is needed." in done.stdout
    assert machine.installs == []


def test_an_amd_machine_gets_the_newest_build_there_is(machine: Machine) -> None:
    machine.note("kfd")
    machine.use_build("1.32.0")
    done = machine.setup(WD14_KFD=str(machine.home / "kfd"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "GPU: onnxruntime-migraphx 1.27.1, the newest for AMD GPUs.\n" in done.stdout
    assert done.stdout.endswith("Ready: onnxruntime 1.27.1 MIGraphXExecutionProvider CPUExecutionProvider\n")


def test_an_apple_machine_keeps_the_usual_build(machine: Machine) -> None:
    (machine.bin / "uname").unlink()
    program(machine.bin / "uname", "echo Darwin\n")
    machine.give_nvidia()
    done = machine.setup()
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine.installs == []


def test_the_build_can_be_named_or_left_alone(machine: Machine) -> None:
    machine.give_nvidia()
    assert machine.setup(WD14_ONNXRUNTIME="cpu").returncode == 0
    assert machine.installs == []
    done = machine.setup(WD14_ONNXRUNTIME="onnxruntime-gpu==1.21.1")
    assert "GPU: onnxruntime-gpu 1.21.1, named in WD14_ONNXRUNTIME.\n" in done.stdout
    assert done.stdout.endswith("Ready: onnxruntime 1.21.1 CUDAExecutionProvider CPUExecutionProvider\n")
    assert machine.setup(WD14_ONNXRUNTIME="onnxruntime-gpu==1.21.1").returncode == 0
    assert machine.installs == []
    assert machine.setup(WD14_ONNXRUNTIME="onnxruntime-gpu==1.22.0").returncode == 0
    assert len(machine.installs) == 1


def test_a_named_build_counts_as_working_when_it_can_be_imported(machine: Machine) -> None:
    machine.note("providers-of-onnxruntime-gpu", "ROCMExecutionProvider CPUExecutionProvider")
    done = machine.setup(WD14_ONNXRUNTIME="onnxruntime-gpu==1.21.0")
    assert done.stdout.endswith("Ready: onnxruntime 1.21.0 ROCMExecutionProvider CPUExecutionProvider\n")
