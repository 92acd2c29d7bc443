"""Where this package keeps what can be made again: stored scores, hashes of model files, models put there by hand."""

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


def hashes_folder() -> Path:
    """Where the hashes of model files are remembered.

    Raises:
        StoreError: the user has no home folder.
    """
    return cache_folder() / "hashes"


def models_folder() -> Path:
    """Where a person can put models that this machine cannot download.

    Raises:
        StoreError: the user has no home folder.
    """
    return cache_folder() / "models"
