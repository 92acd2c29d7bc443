"""Reads a trainer's files with that trainer's own code: `python trainer_parsers.py TRAINER CHECKOUT FOLDER`.

Prints what it understood as JSON: `{"concepts": [[folder, repeats], …], "prompts": [text, …], "more": …}`. A process of
its own, because heavy modules that the parsers import (torch, transformers) are replaced by empty ones.
"""

from __future__ import annotations

import argparse
import ast
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any


def module(name: str, **values: Any) -> ModuleType:
    """An empty module of that name, with some values."""
    made = sys.modules[name] = ModuleType(name)
    made.__dict__.update(values)
    return made


def cut_out(path: Path, names: Sequence[str], given: dict[str, Any]) -> dict[str, Any]:
    """Functions and classes of a module, without its imports."""
    tree = ast.parse(path.read_text("utf-8"))
    wanted: list[ast.stmt] = [node for node in tree.body if getattr(node, "name", None) in names]
    future = ast.parse("from __future__ import annotations").body
    exec(compile(ast.Module([*future, *wanted], []), str(path), "exec"), given)
    return given


def kohya(checkout: Path, folder: Path) -> dict[str, Any]:
    """`library/config_util.py` as `--dataset_config` uses it, and `load_prompts` of `library/train_util.py`."""
    classes = "DreamBoothSubset FineTuningSubset ControlNetSubset DreamBoothDataset FineTuningDataset ControlNetDataset"
    empty = {name: type(name, (), {}) for name in (*classes.split(), "DatasetGroup")}
    train_util = module("library.train_util", **empty)
    module("transformers", CLIPTokenizer=object)
    module("library", __path__=[str(checkout / "library")], train_util=train_util)
    module("library.utils", setup_logging=lambda *_, **__: None)
    from library import config_util  # type: ignore[import-not-found]

    config = config_util.load_user_config(str(folder / "dataset.toml"))
    sanitizer = config_util.ConfigSanitizer(True, True, False, True)
    arguments = argparse.Namespace(
        resolution=None, face_crop_aug_range=None, debug_dataset=False, max_token_length=225, prior_loss_weight=1.0
    )
    (dataset,) = config_util.BlueprintGenerator(sanitizer).generate(config, arguments).dataset_group.datasets
    given = {"re": re, "logger": logging.getLogger("kohya"), "json": json}
    names = ("line_to_prompt_dict", "load_prompts")
    functions = cut_out(checkout / "library" / "train_util.py", names, given)
    train_util.__dict__["line_to_prompt_dict"] = functions["line_to_prompt_dict"]
    prompts = functions["load_prompts"](str(folder / "sample_prompts.txt"))
    subset = dataset.subsets[0].params
    return {
        "concepts": [[each.params.image_dir, each.params.num_repeats] for each in dataset.subsets],
        "prompts": [prompt.pop("prompt") for prompt in prompts],
        "more": {
            "options": prompts,
            "resolution": dataset.params.resolution,
            "bucket": dataset.params.enable_bucket,
            "caption_extension": subset.caption_extension,
            "keep_tokens": subset.keep_tokens,
            "caption_separator": subset.caption_separator,
        },
    }


def onetrainer(checkout: Path, folder: Path) -> dict[str, Any]:
    """`ConceptConfig` and `SampleConfig`; "more" names keys that they did not take as they were written."""
    sys.path.insert(0, str(checkout))
    from modules.util.config.ConceptConfig import ConceptConfig  # type: ignore[import-not-found]
    from modules.util.config.SampleConfig import SampleConfig  # type: ignore[import-not-found]

    written = json.loads((folder / "concepts.json").read_text("ascii"))
    concepts = [ConceptConfig.default_values().from_dict(each) for each in written]
    samples = json.loads((folder / "samples.json").read_text("ascii"))
    read = [SampleConfig.default_values(None).from_dict(each) for each in samples]
    lost = [
        f"{path}: {value!r}"
        for before, after in zip([*written, *samples], [*concepts, *read], strict=True)
        for path, value in not_in(after.to_dict(), before)
    ]
    return {
        "concepts": [[concept.path, concept.balancing] for concept in concepts],
        "prompts": [sample.prompt for sample in read],
        "more": lost,
    }


def not_in(after: dict[str, Any], before: dict[str, Any]) -> list[tuple[str, Any]]:
    """Values that are not the same any more."""
    found: list[tuple[str, Any]] = []
    for key, value in before.items():
        if isinstance(value, dict):
            found += not_in(after[key], value)
        elif key not in after or str(after[key]) != str(value) or type(after[key]) is not type(value):
            found.append((key, value))
    return found


def ai_toolkit(checkout: Path, folder: Path) -> dict[str, Any]:
    """`get_config`, `DatasetConfig` and `SampleConfig`."""
    import yaml  # type: ignore[import-untyped,unused-ignore]

    module("oyaml", **vars(yaml))
    module("toolkit", __path__=[str(checkout / "toolkit")])
    module("toolkit.paths", TOOLKIT_ROOT=str(checkout))
    from toolkit.config import get_config  # type: ignore[import-not-found]

    process = get_config(str(folder / "ai-toolkit.yaml"))["config"]["process"][0]
    given: dict[str, Any] = {"os": os}
    configs = cut_out(
        checkout / "toolkit" / "config_modules.py", ("DatasetConfig", "SampleConfig", "SampleItem"), given
    )
    datasets = [configs["DatasetConfig"](**each) for each in process["datasets"]]
    return {
        "concepts": [[each.folder_path, each.num_repeats] for each in datasets],
        "prompts": configs["SampleConfig"](**process["sample"]).prompts,
        "more": [datasets[0].caption_ext, datasets[0].resolution],
    }


def diffusion_pipe(checkout: Path, folder: Path) -> dict[str, Any]:
    """`toml`, the parser that it uses; what reads the result needs a GPU's packages."""
    import toml  # type: ignore[import-untyped]

    config = toml.load(folder / "dataset.toml")
    prompts = (folder / "sample_prompts.txt").read_text("utf-8").splitlines()
    return {
        "concepts": [[each["path"], each["num_repeats"]] for each in config["directory"]],
        "prompts": prompts,
        "more": {key: value for key, value in config.items() if key != "directory"},
    }


PARSERS: dict[str, Callable[[Path, Path], dict[str, Any]]] = {
    "kohya": kohya,
    "onetrainer": onetrainer,
    "ai-toolkit": ai_toolkit,
    "diffusion-pipe": diffusion_pipe,
}

if __name__ == "__main__":
    trainer, checkout, folder = sys.argv[1:]
    sys.stdout.write("\n" + json.dumps(PARSERS[trainer](Path(checkout), Path(folder))))
