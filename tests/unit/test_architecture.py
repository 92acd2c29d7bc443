"""The rules of the house, read off the imports: who may lean on whom, and what an import may cost."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "wd14"
MODULES = sorted(PACKAGE.rglob("*.py"))
WINGS = {"data", "model", "caption", "hosts"}
#: Stand above the wings: they may use any room.
UPPER = {"pipeline", "cli", "manifest", "__init__"}
HOST_SDKS = {"lab", "transformerlab"}
#: Packages that cost start-up time, or that only one file may know.
HEAVY = {"datasets", "pandas", "pyarrow", "huggingface_hub", "onnxruntime", "torch", "cv2", "onnx", *HOST_SDKS}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(node: ast.AST) -> set[str]:
    found: set[str] = set()
    for child in ast.walk(node):
        if isinstance(child, ast.Import):
            found |= {alias.name for alias in child.names}
        elif isinstance(child, ast.ImportFrom) and child.module and child.level == 0:
            found |= {child.module} | {f"{child.module}.{alias.name}" for alias in child.names}
    return found


def imported_at_the_top(tree: ast.Module) -> set[str]:
    """What an import of the module loads: its statements outside functions and `if TYPE_CHECKING`."""
    found: set[str] = set()
    for statement in tree.body:
        checked_only = isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test)
        if isinstance(statement, (ast.Import, ast.ImportFrom, ast.If, ast.Try)) and not checked_only:
            found |= imports_of(statement)
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_wings_do_not_lean_on_each_other(path: Path) -> None:
    room = room_of(path)
    rooms = {name.split(".")[1] for name in imports_of(ast.parse(path.read_text("utf-8"))) if name.startswith("wd14.")}
    allowed_above = UPPER if room in UPPER else set()
    for other in rooms & (WINGS | (UPPER - {"__init__"})):
        if room in WINGS:
            assert other == room, f"{room} imports {other}"
        elif room not in UPPER:
            pytest.fail(f"the ground floor's {room} imports {other}")
        else:
            assert other in WINGS | allowed_above


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_heavy_packages_are_imported_late(path: Path) -> None:
    top = {name.split(".")[0] for name in imported_at_the_top(ast.parse(path.read_text("utf-8")))}
    assert not top & HEAVY


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_each_sdk_is_known_in_one_place(path: Path) -> None:
    everywhere = {name.split(".")[0] for name in imports_of(ast.parse(path.read_text("utf-8")))}
    assert not everywhere & {"torch", "cv2", "onnx", "tensorflow"}
    if everywhere & HOST_SDKS:
        assert room_of(path) == "hosts"
    if "onnxruntime" in everywhere:
        assert path.name == "tagger.py"


def test_importing_the_package_loads_nothing_heavy_and_touches_nothing(tmp_path: Path) -> None:
    """In a process of its own, whose home folder must stay empty."""
    code = (
        "import sys, wd14, wd14.cli.main, wd14.pipeline, wd14.config, wd14.hosts.local\n"
        f"print(sorted(set({sorted(HEAVY)!r}) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=PACKAGE.parent,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.stdout.strip() == "[]"
    assert list(tmp_path.iterdir()) == []


def test_the_public_names_are_there() -> None:
    import wd14

    assert {"CaptionConfig", "Tagger", "caption_dataset", "__version__"} <= set(dir(wd14))
    for name in wd14.__all__:
        assert getattr(wd14, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = wd14.nothing
