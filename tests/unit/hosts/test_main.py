"""Which host a process has, and what `main.py` does before there is one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from wd14.hosts import choose_host

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("argv", "environ", "host"),
    [
        (["--plugin_dir", "/p", "--thresh", "0.3"], {}, "plugin"),
        (["--thresh", "0.3", "--plugin_dir=/p"], {"_TFL_JOB_ID": "1"}, "plugin"),
        (["--task"], {}, "lab"),
        ([], {"_TFL_JOB_ID": "1"}, "lab"),
        ([], {"_TFL_JOB_ID": ""}, "shell"),
        ([], {}, "shell"),
        (["caption", "x"], {"_TFL_JOB_ID": "1"}, "shell"),
    ],
)
def test_the_host_is_known_by_how_it_starts_us(argv: list[str], environ: dict[str, str], host: str) -> None:
    assert choose_host(argv, environ) == host


def run(code: str, *argv: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, cwd=folder, check=False)


def test_importing_main_does_nothing(tmp_path: Path) -> None:
    code = f"""
import sys
sys.path.append({str(ROOT)!r})
before = list(sys.path)
import main
heavy = [name for name in sys.modules if name.split(".")[0] in ("wd14", "numpy", "pydantic", "datasets", "lab")]
assert not heavy, heavy
assert sys.path == before
assert callable(main.main)
"""
    done = run(code, folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_main_is_the_command_line_in_a_shell(tmp_path: Path) -> None:
    code = f"""
import sys
sys.path.append({str(ROOT)!r})
before = list(sys.path)
import main
try:
    main.main()
finally:
    assert sys.path == before
"""
    done = run(code, "--version", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert run(code, "caption", folder=tmp_path).returncode == 2


def test_a_package_that_is_missing_in_a_shell_is_an_error_there(tmp_path: Path) -> None:
    code = f"import sys; sys.path.append({str(ROOT)!r}); sys.modules['pydantic'] = None; import main; main.main()"
    done = run(code, "--version", folder=tmp_path)
    assert done.returncode == 1
    assert "pydantic" in done.stdout
    assert "pydantic" in done.stderr.splitlines()[-1]
