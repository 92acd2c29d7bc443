"""Text in the trainers' file formats: valid for every path and tag."""

from __future__ import annotations

import json
from collections.abc import Iterable

_TOML_ESCAPES = {'"': '\\"', "\\": "\\\\"}


def toml_string(text: str) -> str:
    r"""A TOML string: `'C:\a'`, or with escapes where it holds a quote or what cannot be shown."""
    if "'" not in text and text.isprintable():
        return f"'{text}'"
    # Plain ASCII escapes only: the parser that trainers use (toml 0.10) reads these rightly.
    return '"' + "".join(_TOML_ESCAPES.get(each) or _visible(each, short=False) for each in text) + '"'


def yaml_string(text: str) -> str:
    r"""A YAML string. `${` is written `\x24{`: ai-toolkit looks for environment variables before it reads the YAML."""
    text = "".join(_TOML_ESCAPES.get(each) or _visible(each, short=True) for each in text)
    return '"' + text.replace("${", "\\x24{") + '"'


def _visible(character: str, *, short: bool) -> str:
    if character.isprintable():
        return character
    number = ord(character)
    if number > 0xFFFF:
        return f"\\U{number:08x}"
    return f"\\x{number:02x}" if short and number < 0x100 else f"\\u{number:04x}"


def json_text(value: object) -> str:
    """A JSON file in ASCII, since OneTrainer opens it in the system's encoding."""
    return json.dumps(value, indent=4, ensure_ascii=True) + "\n"


def commented(lines: Iterable[str]) -> str:
    """Lines as comments of TOML, YAML and lists of prompts."""
    return "".join(f"# {line}\n" for line in lines)
