"""Text that is safe to show: a file name is not markup and not a terminal command."""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    """`text` with control, format and surrogate characters written as escapes: one line, and no terminal codes.

    Bidirectional overrides count as well: they can make a log line read as another.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(sign) if _is_unsafe(sign) else sign for sign in text)


def _is_unsafe(sign: str) -> bool:
    # Cc control, Cf format (bidi overrides, zero width), Cs surrogates, Zl/Zp line and paragraph separators.
    return unicodedata.category(sign) in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def _escape(sign: str) -> str:
    code = ord(sign)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def duration(seconds: float) -> str:
    """Seconds as a person reads them: `0.4 s`, `18 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def count(number: int, noun: str) -> str:
    """`1 picture`, `2 pictures`, `12,000 pictures`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
