"""Nerogar/OneTrainer: `concepts.json` and `samples.json`, lists that its tabs Concepts and Sampling show.

It leaves out what it does not know, silently; see docs/trainers.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from wd14.curation.trainers.training_set import RESOLUTION, Concept, Trainer, TrainingSet
from wd14.curation.trainers.writing import json_text
from wd14.images.formats import extension
from wd14.text import printable

_CONCEPTS, _SAMPLES = "concepts.json", "samples.json"
_READ = frozenset({".bmp", ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".avif"})
#: Ends of names of masks and conditions, which are no pictures of their own.
_NO_PICTURES = ("-masklabel", "-condlabel")


def _reads(name: str) -> bool:
    return extension(name) in _READ and not name[: name.rfind(".")].endswith(_NO_PICTURES)


def _files(training: TrainingSet) -> dict[str, str]:
    return {
        _CONCEPTS: json_text([_concept(concept, training) for concept in training.concepts]),
        _SAMPLES: json_text([_sample(prompt) for prompt in training.prompts]),
        "sample_prompts.txt": "".join(f"{prompt}\n" for prompt in training.prompts),
    }


def _concept(concept: Concept, training: TrainingSet) -> dict[str, object]:
    return {
        "__version": 2,
        "name": concept.name,
        "path": str(concept.folder),
        "seed": 42,  # else each start draws another
        "enabled": True,
        "type": "STANDARD",
        "include_subdirectories": False,
        "balancing": float(concept.repeats),
        "balancing_strategy": "REPEATS",
        "text": {
            "prompt_source": "sample",
            "enable_tag_shuffling": bool(training.delimiter),
            "tag_delimiter": training.delimiter or ",",
            "keep_tags_count": training.kept_tags,
        },
    }


def _sample(prompt: str) -> dict[str, object]:
    return {"enabled": True, "prompt": prompt, "width": RESOLUTION, "height": RESOLUTION, "seed": 42}


def _how_to_start(training: TrainingSet) -> Iterator[str]:
    concepts, samples = printable(training.file(_CONCEPTS)), printable(training.file(_SAMPLES))
    yield (
        f"To train with OneTrainer, copy {concepts} into its folder training_concepts and {samples} into"
        " training_samples, and choose them in the tabs Concepts and Sampling; or name them in its config as"
        " concept_file_name and sample_definition_file_name."
    )


ONETRAINER = Trainer("OneTrainer", _reads, _files, _how_to_start, only_txt=True, shuffles=True, one_line=True)
