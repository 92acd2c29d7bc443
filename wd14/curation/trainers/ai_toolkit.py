"""ostris/ai-toolkit: `ai-toolkit.yaml`, the datasets and samples of a job.

It replaces `[name]` and `${…}` everywhere in the file, and `[trigger]` in prompts; see docs/trainers.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from wd14.curation.trainers.training_set import RESOLUTION, Concept, Trainer, TrainingSet
from wd14.curation.trainers.writing import commented, yaml_string
from wd14.images.formats import extension
from wd14.text import printable

_CONFIG = "ai-toolkit.yaml"
_READ = frozenset({".jpg", ".jpeg", ".png", ".webp"})


def _reads(name: str) -> bool:
    return extension(name) in _READ


def _files(training: TrainingSet) -> dict[str, str]:
    prompts = [_prompt(prompt) for prompt in training.prompts]
    return {_CONFIG: _config(training, prompts), "sample_prompts.txt": "".join(f"{prompt}\n" for prompt in prompts)}


def _config(training: TrainingSet, prompts: list[str]) -> str:
    # No path in a comment: the trainer would look for `${…}` there too.
    head = commented(
        [
            "For ai-toolkit. What your model needs is not here: add its network, save, train and model blocks from",
            "config/examples of ai-toolkit, or copy datasets and sample into a job that you have.",
            training.epoch().replace("${", "$ {"),
            "Change as you like: name, resolution, num_repeats, sample_every.",
            "No trigger_word is needed: captions open with yours. shuffle_tokens would move it too.",
        ]
    )
    lines = [
        "job: extension",
        "config:",
        f"  name: {yaml_string(training.name)}",
        "  process:",
        "    - type: sd_trainer",
        "      training_folder: output",
        "      device: cuda:0",
        "      datasets:",
        *(line for concept in training.concepts for line in _dataset(concept, training)),
        "      sample:",
        "        sample_every: 250",
        f"        width: {RESOLUTION}",
        f"        height: {RESOLUTION}",
        "        seed: 42",
        f"        prompts:{'' if prompts else ' []'}",
        *(f"          - {yaml_string(prompt)}" for prompt in prompts),
    ]
    return head + "\n".join(lines) + "\n"


def _dataset(concept: Concept, training: TrainingSet) -> Iterator[str]:
    yield f"        - folder_path: {yaml_string(str(concept.folder))}"
    yield f"          caption_ext: {yaml_string(training.caption_extension.removeprefix('.'))}"
    yield f"          num_repeats: {concept.repeats}"
    yield f"          resolution: [{RESOLUTION}]"
    yield "          shuffle_tokens: false"
    yield "          cache_latents_to_disk: true"


def _prompt(prompt: str) -> str:
    """A prompt in which nothing is replaced."""
    return prompt.replace("[name]", "(name)").replace("[trigger]", "(trigger)")


def _how_to_start(training: TrainingSet) -> Iterator[str]:
    path = printable(training.file(_CONFIG))
    yield f'To train with ai-toolkit, add its blocks for your model to {path}, and start: python run.py "{path}"'
    if any("[name]" in str(concept.folder) for concept in training.concepts):
        yield "ai-toolkit replaces [name] in paths, and will not find the pictures: rename the folder."


AI_TOOLKIT = Trainer("ai-toolkit", _reads, _files, _how_to_start)
