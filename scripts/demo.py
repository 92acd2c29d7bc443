"""What `scripts/demo` runs: captions photographs with the built-in model and prints what came out."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from wd14.config import BUILTIN_MODEL
from wd14.errors import CaptionerError
from wd14.hosts.local import LocalHost
from wd14.pipeline import run_job
from wd14.text import printable

#: Photographs that the two packages ship (scikit-image: public domain and CC0; scikit-learn: CC BY).
_PHOTOGRAPHS = {
    "skimage": ["astronaut.png", "camera.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg"],
    "sklearn": ["china.jpg", "flower.jpg"],
}


def photographs(folder: Path) -> None:
    """Copies the photographs that are installed into a folder."""
    for package, names in _PHOTOGRAPHS.items():
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            continue
        for name in names:
            for found in Path(spec.origin).parent.rglob(name):
                shutil.copy(found, folder / name)


def main() -> int:
    """Captions, prints, and says where the result is."""
    with tempfile.TemporaryDirectory() as made:
        if len(sys.argv) > 1:
            source = Path(sys.argv[1])
        else:
            source = Path(made) / "photographs"
            source.mkdir()
            photographs(source)
        host = LocalHost(source, {"generation_model": BUILTIN_MODEL}, "demo_output", say=print)
        try:
            summary = run_job(host)
        except CaptionerError as error:
            print(f"demo: {error}", file=sys.stderr)
            return error.exit_code
    output = Path(summary.output or "")
    print()
    with (output / "train" / "metadata.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            print(f"{printable(row['file_name'])}\n    {printable(row['caption'])}")
    print(f"\nThe built-in model knows colours and backgrounds, no more. The dataset is in {output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
