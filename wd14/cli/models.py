"""`wd14-captioner models`: the known models, by family."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from wd14.cli.output import is_heard, say, say_json

if TYPE_CHECKING:
    from wd14.model.files.description import ModelDescription
    from wd14.model.machine import Machine

#: A line of the table, below 100 columns.
_ROW = "  {:<46} {:<4} {:>7} {:>7}  {:<5} {}"

#: Thresholds of more categories than this are in `--json`.
_MOST_SHOWN = 2


def add_command(commands: Any) -> None:
    """Adds `models` to the program's commands."""
    parser = commands.add_parser("models", help="list the known models: which are downloaded, which suit this machine")
    parser.add_argument("--json", action="store_true", help="print one JSON object, with all that is known of each")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Lists the known models."""
    from wd14.model.files.registry import MODELS
    from wd14.model.machine import this_machine

    machine = this_machine()
    if args.json:
        say_json(
            {
                "machine": {"memory": machine.memory, "gpu": machine.gpu},
                "models": [_as_json(model, machine) for model in MODELS],
            }
        )
        return 0 if is_heard() else 1
    for line in _lines(MODELS, machine):
        say(line)
    return 0 if is_heard() else 1


def _lines(models: Sequence[ModelDescription], machine: Machine) -> Iterator[str]:
    from wd14.config import NO_MODEL

    yield _ROW.format("model", "here", "size", "tags", "suits", "threshold")
    for family, members in groupby(models, key=lambda model: model.family):
        several = list(members)
        yield ""
        yield f"{family} ({several[0].licence or 'licence not stated'})"
        yield from (f"  {line}" for line in _conditions(several))
        for model in several:
            yield _row(model, machine)
            if model.terms != several[0].terms:
                yield f"    {model.terms}"
    memory = "" if machine.memory is None else f"{_size(machine.memory)} of memory free, "
    yield ""
    yield "here = downloaded; size = of all its files; an empty field = not known."
    yield f"suits = for this machine ({memory}{machine.gpu or 'no GPU that onnxruntime can use'}):"
    yield "  slow = a large model, and no GPU for it; no = it needs more memory than is free."
    yield "threshold = the author's; * = used where you set none, since the usual 0.35 does not suit the model."
    yield f"{NO_MODEL} adds no tag: with --append-tags, pictures keep their captions, and --edits change them."
    yield "Other taggers work too, by Hugging Face id or folder; docs/taggers.md says how to describe one."


def _conditions(models: Sequence[ModelDescription]) -> Iterator[str]:
    """What a person has to accept, or should know, before using the models of a family."""
    first = models[0]
    if first.gated:
        pages = {terms_at(model) for model in models}
        page = pages.pop() if len(pages) == 1 else "https://huggingface.co/<model>"
        yield f"gated: accept the terms at {page} and set HF_TOKEN"
    if first.terms:
        yield first.terms


def _row(model: ModelDescription, machine: Machine) -> str:
    from wd14.model.files.find import is_here
    from wd14.model.machine import size_of

    here = "yes" if is_here(model) else "no"
    tags = "" if model.tags is None else f"{model.tags:,}"
    suits = "yes" if model.repo is None else machine.suits(model) or ""
    return _ROW.format(model.id, here, _size(size_of(model)), tags, suits, _thresholds(model)).rstrip()


def _as_json(model: ModelDescription, machine: Machine) -> dict[str, Any]:
    from wd14.model.files.find import is_here
    from wd14.model.machine import memory_needed, size_of

    return {
        "id": model.id,
        "family": model.family,
        "licence": model.licence,
        "terms": model.terms,
        "gated": model.gated,
        "terms_at": terms_at(model) if model.gated else None,
        "revision": model.revision,
        "files": [file.path for file in model.files if file.path],
        "size": size_of(model),
        "tags": model.tags,
        "thresholds": dict(model.thresholds),
        "uses_own_thresholds": model.prefers_own_thresholds,
        "here": is_here(model),
        "memory": memory_needed(model),
        "suits": "yes" if model.repo is None else machine.suits(model),
    }


def terms_at(model: ModelDescription) -> str:
    """The page where the terms of a gated model are accepted."""
    return f"https://huggingface.co/{model.repo}"


def _size(number: int | None) -> str:
    if number is None:
        return ""
    return f"{number / 1e9:.2f} GB" if number >= 1e9 else f"{number / 1e6:.0f} MB"


def _thresholds(model: ModelDescription) -> str:
    """The published thresholds, in a word or two."""
    mark = "*" if model.prefers_own_thresholds else ""
    if model.published is not None and "all" not in model.thresholds:
        return f"for each tag{mark}"
    if len(model.thresholds) > _MOST_SHOWN:
        return f"by category{mark}"
    usual = ("all", "general")
    values = (f"{value:g}" if key in usual else f"{key} {value:g}" for key, value in model.thresholds.items())
    return ", ".join(values) + mark
