"""What is wrong with a parameter, and what it can be, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def explain(problem: Any, title: str, schema: Mapping[str, Any]) -> str:
    """A line for one of pydantic's errors.

    Args:
        problem: an item of `ValidationError.errors()`.
        title: how the message names the parameter.
        schema: the parameter's JSON schema.
    """
    if problem["type"] == "value_error":
        return f"{title}: {_cut(str(problem['ctx']['error']), 400)}"
    return f"{title} is {shown(problem['input'])}; allowed: {allowed_values(schema)}"


def contradiction(config: Any) -> str | None:
    """What is wrong with parameters that are right one by one; None = nothing."""
    if config.purpose in ("character", "outfit") and not config.trigger_words:
        return (
            f"Purpose (purpose) is {config.purpose!r}, and Trigger Words (trigger_words) is empty: give a rare word"
            f" of your own. Without it, what identifies the {config.purpose} would leave the captions, and no word"
            " would stand for it. Or set Purpose to none"
        )
    return (_needing_a_tagger(config) if config.adds_no_tags else None) or _of_an_ensemble(config)


def _of_an_ensemble(config: Any) -> str | None:
    """What does not go with several models."""
    if not config.ensemble:
        return None
    if config.adds_no_tags:
        return (
            f"the model is {config.model.strip()}, which adds no tag, and Ensemble (ensemble) names further models:"
            " name one of those as the model"
        )
    if config.threshold_mode == "mcut":
        return (
            "Threshold Mode (threshold_mode) is 'mcut', and Ensemble (ensemble) names further models: their votes need"
            " thresholds that hold for all pictures. Choose fixed or model, or leave Ensemble empty"
        )
    return None


def _needing_a_tagger(config: Any) -> str | None:
    name = f"the model is {config.model.strip()}, which adds no tag"
    if not config.append_tags:
        return (
            f"{name}, and Append to Captions (append_tags) is off: every caption would be empty. Turn it on, so that"
            " pictures keep the captions that they have, or choose a tagger"
        )
    needing = {"purpose": "none", "fold_tags": (), "plan": "", "caption_style": "kohya"}
    for key, default in needing.items():
        if getattr(config, key) != default:
            title = type(config).model_fields[key].title
            return f"{name}: {title} ({key}) needs what a tagger knows. Leave it out, or choose a tagger"
    return None


def shown(value: object) -> str:
    """A value as a message shows it: quoted, and not by the page."""
    try:
        text = repr(value)
    except ValueError:  # an int of more digits than Python writes
        return f"a {type(value).__name__} that is too long to show"
    return _cut(text, 200)


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[:room]}…"


def allowed_values(schema: Mapping[str, Any]) -> str:
    """What a parameter can be: `a number from 0 to 1`, `skip or stop`."""
    return " or ".join(_variant_in_words(variant) for variant in schema.get("anyOf", [schema]))


def _variant_in_words(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        *others, last = schema["enum"]
        return f"{', '.join(others)} or {last}"
    names = {"number": "a number", "integer": "a whole number", "boolean": "true or false", "null": "empty"}
    words = names.get(schema.get("type", ""), "text")
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f"{words} from {low:g} to {high:g}"
    return words if low is None else f"{words} of at least {low:g}"
