"""Writes `family_scores.json`: what the public code of three families makes of the models in tests/support/families.py.

`python -m tests.golden.make_family_scores` runs it; it needs `dghs-imgutils`, which this project does not use: its code
for PixAI v0.9, Camie v1 and animetimm's models reads their files itself, prepares the pictures, and keeps tags at the
published thresholds. README.md tells with which version.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from imgutils.generic import multilabel_timm  # type: ignore[import-not-found]
from imgutils.tagging import camie, pixai  # type: ignore[import-not-found]
from PIL import Image

from tests.support.families import FAMILIES, PICTURES

HERE = Path(__file__).parent


def main() -> None:
    """Asks the peer for every picture."""
    found: dict[str, Any] = {"peer": f"dghs-imgutils {version('dghs-imgutils')}"}
    for name in ("pixai-v0.9", "camie-v1", "animetimm"):
        with TemporaryDirectory() as folder:
            FAMILIES[name]().write(Path(folder))

            def local(*, filename: str, folder: str = folder, **_: object) -> str:
                return str(Path(folder) / filename.rpartition("/")[2])

            camie.hf_hub_download = pixai.hf_hub_download = multilabel_timm.hf_hub_download = local
            found[name] = {picture: ask(name, HERE / "pictures" / picture) for picture in PICTURES}
    (HERE / "family_scores.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def ask(name: str, picture: Path) -> dict[str, Any]:
    """All scores in the order of the outputs, and the tags that are kept, by category."""
    image = Image.open(picture)
    categories = ["general", "character"]
    if name == "animetimm":
        categories.append("rating")
        model = multilabel_timm.MultiLabelTIMMModel("small/animetimm")
        scores, *kept = model.predict(image, fmt=("prediction", *categories))
    elif name == "camie-v1":
        categories = ["general", "artist", "copyright", "character", "meta", "year"]
        scores, *kept = camie.get_camie_tags(image, fmt=("prediction", *categories))
    else:
        scores, *kept = pixai.get_pixai_tags(image, "small/pixai", fmt=("prediction", *categories))
    # Two of its readers take a tag called "null" for a missing one.
    names = [sorted(tag if isinstance(tag, str) else "null" for tag in each) for each in kept]
    return {"scores": [round(float(score), 7) for score in scores], "kept": dict(zip(categories, names, strict=True))}


if __name__ == "__main__":
    main()
