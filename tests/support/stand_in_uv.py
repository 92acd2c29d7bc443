"""A stand-in for `uv` and for `pip`: `python stand_in_uv.py HOME COMMAND …` in the folders of `setup_machine.Machine`.

It resolves onnxruntime's packages against the versions that the package index really had in November 2026, and
"installs" by making modules and their metadata.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

VERSIONS = {
    "onnxruntime": "1.21.0 1.21.1 1.22.0 1.22.1 1.23.0 1.23.1 1.23.2 1.24.1 1.24.2 1.24.3 1.24.4 1.25.0 1.25.1 1.26.0"
    " 1.27.0 1.28.0 1.29.0 1.30.0 1.31.0 1.31.1 1.32.0",
    "onnxruntime-gpu": "1.18.1 1.19.2 1.20.2 1.21.0 1.21.1 1.22.0 1.23.0 1.23.2 1.24.1 1.24.4 1.25.0 1.25.1 1.26.0"
    " 1.27.0 1.28.0 1.29.0 1.30.0 1.31.0 1.31.1",
    "onnxruntime-migraphx": "1.23.0 1.23.2 1.24.2 1.24.4 1.25.0 1.27.0 1.27.1",
}
#: Module and package of all that the plugin and the host's SDK import.
MODULES = {
    "datasets": "datasets",
    "huggingface_hub": "huggingface-hub",
    "numpy": "numpy",
    "onnxruntime": "onnxruntime",
    "pandas": "pandas",
    "PIL": "pillow",
    "pydantic": "pydantic",
    "tqdm": "tqdm",
    "lab": "transformerlab",
    "jinja2": "jinja2",
    "requests": "requests",
    "transformers": "transformers",
}
ONNXRUNTIME = """
import os, pathlib
__version__, *_providers = (pathlib.Path(__file__).parent / "build").read_text().split()
_home = pathlib.Path({home!r})
if "broken" in _providers:
    raise ImportError("libfoo.so: cannot open shared object file")
if os.environ.get("ORT_DISABLE_TELEMETRY") != "1":
    (_home / "telemetry").write_text("")
def get_available_providers():
    return _providers
def preload_dlls():
    for library in (_home / "not-found").read_text().split():
        print(f"Failed to load {{library}}: {{library}}: cannot open shared object file: No such file or directory")
"""


def put_module(site: Path, module: str, text: str = "") -> None:
    """Makes a module that can be imported."""
    (site / module).mkdir(parents=True, exist_ok=True)
    (site / module / "__init__.py").write_text(text)


def put_metadata(site: Path, name: str, version: str) -> None:
    """Makes a package's entry, in place of any that it has."""
    for old in site.glob(f"{name.replace('-', '_')}-*.dist-info"):
        shutil.rmtree(old)
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def put_onnxruntime(home: Path, site: Path, name: str, version: str) -> None:
    """Lays a build of onnxruntime over the one that is there."""
    providers = "CPUExecutionProvider" if name == "onnxruntime" else (home / f"providers-of-{name}").read_text()
    put_module(site, "onnxruntime", ONNXRUNTIME.format(home=str(home)))
    (site / "onnxruntime" / "build").write_text(f"{version} {providers}")
    put_metadata(site, name, version)


def installed(site: Path) -> dict[str, str]:
    """Name and version of each package that has an entry."""
    entries = (entry.name.removesuffix(".dist-info").rsplit("-", 1) for entry in site.glob("*.dist-info"))
    return {name.replace("_", "-"): version for name, version in entries}


def install(home: Path, words: argparse.Namespace, site: Path) -> None:
    failures = int((home / "failures").read_text())
    if failures:
        (home / "failures").write_text(str(failures - 1))
        sys.exit("error: no network")
    held = {}
    if words.constraint is not None:
        (home / "held").write_text(words.constraint.read_text())
        held = dict(line.split("==") for line in words.constraint.read_text().splitlines())
    for requirement in map(Requirement, words.packages):
        name = canonicalize_name(requirement.name)
        if name in VERSIONS:
            found = [version for version in VERSIONS[name].split() if version in requirement.specifier]
            found = [version for version in found if version == held.get(name, version)]
            if not found:
                sys.exit(f"error: there is no version of {requirement}")
            if words.force_reinstall or installed(site).get(name) not in found:
                put_onnxruntime(home, site, name, max(found, key=Version))
            if requirement.extras and (home / "cuda-wheels").exists():
                (home / "not-found").write_text("")
        for module, package in MODULES.items():
            if package == name and not (site / module).exists():
                put_module(site, module)


def main(home: Path, argv: list[str]) -> None:
    with (home / "calls").open("a") as calls:
        calls.write(" ".join(argv) + "\n")
    parser = argparse.ArgumentParser()
    parser.add_argument("--python")
    parser.add_argument("--constraint", type=Path)
    for option in ("--no-deps", "--force-reinstall", "--clear", "--without-pip"):
        parser.add_argument(option, action="store_true")
    parser.add_argument("packages", nargs="*")
    if argv[0] == "venv":
        words = parser.parse_args(argv[1:])
        if words.python and not (home / "python-to-download").exists():
            sys.exit("error: no network")
        shutil.copytree(home / "new-environment", words.packages[0])
        return
    words = parser.parse_args(argv[2:])
    site = Path(words.python).parents[1] / "site"
    if argv[1] == "freeze":
        print((home / "frozen").read_text())  # noqa: T201
        print("\n".join(f"{name}=={version}" for name, version in installed(site).items()))  # noqa: T201
    elif argv[1] == "uninstall":  # takes the module away, also from under the entry of another package
        shutil.rmtree(site / "onnxruntime")
        shutil.rmtree(next(site.glob(f"{words.packages[0].replace('-', '_')}-*.dist-info")))
    else:
        install(home, words, site)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
