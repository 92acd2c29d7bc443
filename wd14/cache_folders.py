"""Where this package keeps what can be made again: scores, hashes of model files (`hashes/`), models (`models/`)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from wd14.errors import StoreError

_NAME = "wd14_captioner"


def cache_folder() -> Path:
    """The folder for all of it: `$WD14_CACHE`, else `wd14_captioner` in the user's cache folder. It is not made.

    Raises:
        StoreError: the user has no home folder.
    """
    own = os.environ.get("WD14_CACHE")
    if own:
        folder = Path(own)
    elif sys.platform == "win32":
        folder = Path(os.environ.get("LOCALAPPDATA") or "~/AppData/Local") / _NAME
    elif sys.platform == "darwin":
        folder = Path("~/Library/Caches") / _NAME
    else:
        xdg = os.environ.get("XDG_CACHE_HOME", "")
        # The XDG specification: a relative path is to be ignored.
        folder = Path(xdg if Path(xdg).is_absolute() else "~/.cache") / _NAME
    try:
        return folder.expanduser()
    except RuntimeError as error:
        raise StoreError(f"no home folder for {folder}; name a folder with WD14_CACHE") from error
