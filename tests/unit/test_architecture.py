"""The rules of the package, read off its imports: who may use whom, and what an import may cost."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "wd14"

#: Used by everything, and uses nothing above it.
GROUND_FLOOR = {
    "errors",
    "types",
    "published",
    "disagreement",
    "input_spec",
    "config",
    "parameter_types",
    "config_words",
    "parameter_groups",
    "parsing",
    "text",
    "threads",
    "stop",
    "process",
    "run_folder",
    "progress",
    "ticking",
    "messages",
    "cache_folders",
    "regular_files",
    "json_files",
    "hub_answers",
    "places",
    "place_files",
    "place_errors",
    "patience",
    "object_stores",
    "spelling",
    "concepts",
    "implied_tags",
    "images",
}
#: Do not know of each other: what passes between them is in `types`.
WINGS = {"data", "model", "caption", "curation", "ensemble", "evaluation", "review", "hosts"}
#: Put the wings together.
UPPER = {
    *(
        "decoding",
        "scored_rows",
        "tagging",
        "ensemble_rows",
        "job_scores",
        "passes",
        "token_counting",
        "host_link",
        "study_pass",
        "dataset_plan",
        "job_edits",
        "finishing",
        "thumbnail_folder",
        "output_place",
        "page_model",
        "result_check",
        "review_pass",
        "pipeline",
        "check_settings",
        "disagreement_pass",
    ),
    *("similar_search", "looking", "checking", "reviewing", "reported_rows", "base_captions", "serving"),
    *(
        "comparing",
        "comparison",
        "differences",
        "evaluating",
        "evaluating_rows",
        "truth",
    ),
    *("api", "scale", "cli"),
}

HOST_SDKS = {"lab", "transformerlab"}
#: What opens a model: a run from stored scores needs none of it.
OPENS_MODELS = {"wd14.model.runtimes.opening", "wd14.model.graph.rewriting", "wd14.model.graph.fusion"}
#: Packages that cost start-up time, or that are not ours to need.
HEAVY = {
    "datasets",
    "pandas",
    "pyarrow",
    "huggingface_hub",
    "onnxruntime",
    "openvino",
    "tokenizers",
    "torch",
    "cv2",
    "onnx",
    "starlette",
    "uvicorn",
    "fsspec",
    "ray",
    *HOST_SDKS,
}


def imports_of(node: ast.AST) -> set[str]:
    """Modules, and names in modules, that are imported anywhere below a node."""
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


def room_of(module: str) -> str:
    """`wd14.data.writer` -> `data`; the package itself has none."""
    return module.partition(".")[2].partition(".")[0]


def forbidden(room: str) -> set[str]:
    """Rooms that a room must not import."""
    if room in GROUND_FLOOR:
        return WINGS | UPPER
    return (WINGS | UPPER) - {room} if room in WINGS else set()


@pytest.fixture(scope="module")
def modules() -> dict[str, ast.Module]:
    """Every module of the package."""
    paths = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
    return {name.removesuffix(".__init__"): ast.parse(path.read_text("utf-8")) for name, path in sorted(paths.items())}


def test_every_room_is_known(modules: dict[str, ast.Module]) -> None:
    assert {room_of(name) for name in modules} == GROUND_FLOOR | WINGS | UPPER | {""}


def test_rooms_use_only_what_is_below_them(modules: dict[str, ast.Module]) -> None:
    wrong = [
        f"{name} imports {imported}"
        for name, tree in modules.items()
        for imported in imports_of(tree)
        if imported.startswith("wd14.") and room_of(imported) in forbidden(room_of(name))
    ]
    assert wrong == []


def test_no_import_goes_in_a_circle(modules: dict[str, ast.Module]) -> None:
    graph = {
        name: {imported for imported in imports_of(tree) if imported in modules and imported not in (name, "wd14")}
        for name, tree in modules.items()
        if name != "wd14"  # it hands names on, on first use
    }
    assert list(circles(graph)) == []
    assert list(circles({"a": {"b"}, "b": {"c"}, "c": {"a"}})) == [["a", "b", "c", "a"]]


def circles(graph: dict[str, set[str]]) -> Iterator[list[str]]:
    """Ways that lead back to where they began, one for each module that is found in a circle first."""
    done: set[str] = set()

    def walk(name: str, way: list[str]) -> Iterator[list[str]]:
        if name in way:
            yield [*way[way.index(name) :], name]
        elif name not in done:
            for imported in sorted(graph[name]):
                yield from walk(imported, [*way, name])
            done.add(name)

    for name in sorted(graph):
        yield from walk(name, [])


def test_heavy_packages_are_imported_late(modules: dict[str, ast.Module]) -> None:
    heavy = {name: {top.split(".")[0] for top in imported_at_the_top(tree)} & HEAVY for name, tree in modules.items()}
    assert {name: found for name, found in heavy.items() if found} == {}


def test_a_job_loads_nothing_that_only_some_jobs_need(modules: dict[str, ast.Module]) -> None:
    loaded, todo = set[str](), ["wd14.cli.caption", "wd14.pipeline", "wd14.api"]
    while todo:
        if (name := todo.pop()) not in loaded:
            loaded.add(name)
            todo += imported_at_the_top(modules[name]) & modules.keys()
    assert "wd14.caption.captioner" in loaded
    assert {name for name in loaded if room_of(name) in {"curation", "review", "ensemble", "evaluation"}} == set()


def test_nothing_of_scale_is_loaded_unless_it_is_called(tmp_path: Path) -> None:
    """In a process of its own: the help of every command, and a whole job of `caption`."""
    (tmp_path / "in").mkdir()
    Image.new("RGB", (8, 8), "red").save(tmp_path / "in" / "red.png")
    words = ["caption", "in", "--output", "out", "--custom-model", "builtin/colours", "--no-review", "--no-cache"]
    code = (
        "import sys; from wd14.cli.main import main\n"
        f"assert main({words!r}) == 0\n"
        "print(sorted(m for m in sys.modules if m.startswith('wd14.scale') or m.split('.')[0] in ('ray', 's3fs')))"
    )
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path, env=env
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_each_sdk_is_known_in_one_place(modules: dict[str, ast.Module]) -> None:
    users: dict[str, set[str]] = {}
    for name, tree in modules.items():
        for package in {imported.split(".")[0] for imported in imports_of(tree)}:
            users.setdefault(package, set()).add(name)
    assert not {"torch", "cv2", "onnx", "tensorflow"} & set(users)
    assert users["onnxruntime"] == {"wd14.model.runtimes.onnxruntime_session"}
    assert users["openvino"] == {"wd14.model.runtimes.openvino_session"}
    assert {room_of(name) for sdk in HOST_SDKS for name in users[sdk]} == {"hosts"}


#: Calls that open a file to read it, or look so, outside `regular_files`: by module and by what is called.
OTHER_WAYS_TO_READ: dict[str, dict[str, str]] = {
    # Not files, or files that were opened by `regular_files` already.
    "data.sources.metadata": {"self.confinement.open": "goes through `regular_files`"},
    "data.caption_files": {
        "files.open": "goes through `regular_files`",
        "target.open": "to write; it was read through `files.open`",
    },
    "data.sources.tables": {"table_file.open": "see `table_files`", "ParquetFile": "see `table_files`"},
    "data.sources.table_files": {
        "pq.ParquetFile": "`open_file` looks first: pyarrow opens files by their path",
        "pa.memory_map": "`open_file` looks first",
    },
    "data.remote": {"(self.folder / piece.file).open": "a file on a store"},
    "data.remote_files": {
        "(self._place / relative).open": "a file on a store",
        "super().open": "goes through `regular_files`",
    },
    "data.staging": {"pq.ParquetFile": "a file of our own, opened by `open_file`"},
    "data.sources.huggingface": {"fsspec.open": "a file on the hub; its size is limited there"},
    "data.partial_folder": {"os.open": "writes"},
    "review.edit_file": {"os.open": "writes, and locks a folder"},
    "run_folder": {"os.open": "locks files of our own, without waiting"},
    "place_files": {"os.open": "writes, and brings what it wrote to the disk"},
    "scale.recaptioning": dict.fromkeys(("place.open", "here.open", "archive.open"), "see `places`"),
    "scale.shard_file": {"place.open": "see `places`", "pq.ParquetFile": "reads what `places` opened"},
    "model.trial.verdicts": {"os.open": "a lock of ours, without waiting"},
    "model.trial.trial_process": {"os.open": "the null device"},
    "process": {"open": "the null device", "os.open": "the null device"},
    "hosts.lab.host": {"self._datasets.open": "a dataset, not a file"},
    "scored_rows": {"ScoreStore.open": "the score store"},
    "checking": {"ScoreStore.open": "the score store"},
    "job_scores": {"ScoreStore.open": "the score store"},
    "cli.cache": {"ScoreStore.open": "the score store"},
    # Files of the host, which is trusted.
    "hosts.lab.storage": {
        "self._sdk.open": "a file of the host's workspace",
        "Path(place).open": "a file of the host's workspace",
    },
    "hosts.lab.datasets": {"self._storage.read_text": "a file of the host's workspace"},
    "hosts.plugin.datasets": {"(folder / 'index.json').read_text": "a file of the host's workspace"},
    "hosts.plugin.arguments": {"Path(name).read_text": "the job's parameters, which the host wrote"},
    # Our own package.
    "review.page": {"place.read_text": "a part of the page"},
    "model.files.registry": {"(FOLDER / f'{name}.json').read_bytes": "the known models"},
    # The output that this job has just written.
    "hosts.lab.contact_sheet": {"metadata.open": "our own output", "picture.read_bytes": "our own output"},
    "data.metadata_writer": {"old.open": "our own output", "(folder / 'metadata.jsonl').open": "our own output"},
    "data.writer": {"self._metadata.open": "our own output"},
}
_READERS = {"open", "read_bytes", "read_text", "FileIO", "memory_map", "ParquetFile"}


def ways_to_read(tree: ast.Module) -> set[str]:
    """What is called to open a file for reading; a mode that only writes does not count."""
    found: set[str] = set()
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        arguments = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
        words = [each.value for each in arguments if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        if name in _READERS and not any(re.fullmatch("[wax][bt]?", word) for word in words):
            found.add(ast.unparse(call.func))
    return found


def test_files_of_others_are_read_through_one_door(modules: dict[str, ast.Module]) -> None:
    """A pipe would hang the job, and a file with a hole would fill the memory: `regular_files` refuses both.

    The list also shrinks: what is in it and no longer in the code must go.
    """
    found = {name.partition(".")[2]: ways_to_read(tree) for name, tree in modules.items() if name != "wd14"}
    del found["regular_files"]
    assert {name: ways for name, ways in found.items() if ways} == {
        name: set(ways) for name, ways in OTHER_WAYS_TO_READ.items()
    }
    tricks = "open('a.txt'); os.open(b, 0); c.open(); d.read_text(); io.FileIO(e); f.open('w'); g.open(mode='ab')"
    assert ways_to_read(ast.parse(tricks)) == {"open", "os.open", "c.open", "d.read_text", "io.FileIO"}


def test_files_and_functions_stay_short(modules: dict[str, ast.Module]) -> None:
    """350 lines a file and 50 a function: above that there is a cut to be found."""
    long = [
        f"{name}: {node.name} has {(node.end_lineno or 0) - node.lineno + 1} lines"
        for name, tree in modules.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 50
    ]
    long += [
        f"{path.relative_to(ROOT)} has {length} lines"
        for path in PACKAGE.rglob("*.py")
        if (length := path.read_text("utf-8").count("\n")) > 350
    ]
    assert long == []


def test_importing_the_package_loads_nothing_heavy_and_touches_nothing(tmp_path: Path) -> None:
    """In a process of its own, whose home folder must stay empty."""
    code = (
        "import sys, wd14, wd14.cli.main, wd14.pipeline, wd14.api, wd14.hosts.local\n"
        f"print(sorted(set({sorted({*HEAVY, *OPENS_MODELS})!r}) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.stdout.strip() == "[]"
    assert list(tmp_path.iterdir()) == []


def test_the_architecture_page_has_a_line_for_every_module(modules: dict[str, ast.Module]) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    listed = re.findall(r"^\| `([\w/]+\.py)` \|", page, re.MULTILINE)
    there = [str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if path.name not in ("__init__.py",)]
    assert sorted(listed) == sorted(there)
