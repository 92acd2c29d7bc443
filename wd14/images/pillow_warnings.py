"""Pillow warns about odd files (EXIF data, palettes) that it opens all the same: nothing that a user could act on."""

from __future__ import annotations

import warnings


def ignore_pillow_warnings() -> None:
    """Silences them for the whole process; for programs, not for a library that others import."""
    for category in (UserWarning, RuntimeWarning):  # the second is about large pictures, for which we have a limit
        warnings.filterwarnings("ignore", category=category, module=r"PIL\.")
