"""tdrussell/diffusion-pipe: `dataset.toml`, which the main config names.

It takes every unknown file in a picture's folder for a picture; see docs/trainers.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from wd14.curation.trainers.training_set import RESOLUTION, Concept, Trainer, TrainingSet
from wd14.curation.trainers.writing import commented, toml_string
from wd14.text import printable

_DATASET = "dataset.toml"


def _reads(name: str) -> bool:
    return bool(name)  # it tries to open them all, with Pillow


def _files(training: TrainingSet) -> dict[str, str]:
    head = commented(
        [
            f"For diffusion-pipe, in your main config: {_setting(training)}",
            training.epoch(),
            "Change as you like: resolutions (at most three), the aspect ratios, num_repeats.",
            "cache_shuffle_num would shuffle the trigger words too, so captions stay as they are.",
        ]
    )
    general = f"resolutions = [{RESOLUTION}]\nenable_ar_bucket = true\nmin_ar = 0.5\nmax_ar = 2.0\nnum_ar_buckets = 7"
    dataset = "\n\n".join([head + general, *map(_directory, training.concepts)]) + "\n"
    return {_DATASET: dataset, "sample_prompts.txt": "".join(f"{prompt}\n" for prompt in training.prompts)}


def _directory(concept: Concept) -> str:
    return (
        f"[[directory]]  # {concept.in_words}\npath = {toml_string(str(concept.folder))}\n"
        f"num_repeats = {concept.repeats}"
    )


def _setting(training: TrainingSet) -> str:
    return f"dataset = {toml_string(printable(training.file(_DATASET)))}"


def _how_to_start(training: TrainingSet) -> Iterator[str]:
    yield f"To train with diffusion-pipe, write into your main config: {_setting(training)}"


DIFFUSION_PIPE = Trainer("diffusion-pipe", _reads, _files, _how_to_start, only_txt=True)
