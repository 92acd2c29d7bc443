"""`wd14-captioner cache`: what is stored and what killed runs left, and removing either."""

from __future__ import annotations

import argparse
import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wd14.cli.output import is_heard, say
from wd14.config import CaptionConfig
from wd14.errors import ConfigError, StoreError
from wd14.text import count
from wd14.types import THUMBNAIL_SIDE

if TYPE_CHECKING:
    from wd14.model.score_store.store import ScoreStore

#: Seconds after which a temporary file must be one of a killed run.
_STALE_AFTER = 60.0


def add_command(commands: Any) -> None:
    """Adds `cache` to the program's commands."""
    parser = commands.add_parser("cache", help="show or clear stored scores and speeds, and what killed runs left")
    parser.add_argument("--clear", action="store_true", help="forget all stored scores, facts, thumbnails and speeds")
    parser.add_argument("--clear-model", metavar="MODEL", help="forget the scores of one model, as the list names it")
    parser.add_argument("--clean", action="store_true", help="remove what killed runs left, and damaged score stores")
    parser.add_argument("--cache-folder", default="", metavar="DIR", help="where the scores are kept")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Shows the stored scores and what was left, or removes them."""
    from wd14.model.score_store.store import ScoreStore
    from wd14.model.trial.verdicts import forget_all, remembered
    from wd14.run_folder import noted_leftovers

    config = CaptionConfig(cache_folder=args.cache_folder)
    with ScoreStore.open(config.cache_path, log=say) as store:
        if args.clear:
            say(f"Forgot the scores of {count(store.clear(), 'picture')}.")
            say(f"Forgot the speeds that {count(forget_all(), 'trial')} measured.")
        if args.clear_model is not None:
            say(f"Forgot the scores of {count(_clear_model(store, args.clear_model), 'picture')}.")
        if args.clean:
            _clean(store)
        if args.clear or args.clean or args.clear_model is not None:
            return 0
        stats = store.stats()
        used, most = stats.bytes / 1e6, stats.max_bytes / 1e6
        say(f"{stats.path}: {count(stats.scored, 'scored picture')}, {used:,.1f} of {most:,.0f} MB")
        for stored in stats.counts:
            name = stored.name or f"unknown model {stored.model[:12]}"
            say(f"  {stored.pictures:>9,}  {name}  ({stored.preprocessing})")
        if stats.facts:
            say(f"  {stats.facts:>9,}  pictures' facts: size, sharpness, a grey thumbnail of {THUMBNAIL_SIDE} pixels")
        if stats.thumbnails:
            say(f"  {stats.thumbnails:>9,}  pictures' thumbnails for the review page")
        for path in stats.set_aside:
            say(f"  damaged, set aside; --clean removes it: {path}")
    for trial in remembered():
        say(f"Speeds of {trial}")
        say(f"  measured on {trial.machine}")
    for left in noted_leftovers():
        say(f"Left by a killed run, {_megabytes(left.bytes)}; the next run or --clean removes it: {left.folder}")
    return 0 if is_heard() else 1


def _clear_model(store: ScoreStore, name: str) -> int:
    """Forgets the scores of a model; returns of how many pictures.

    Raises:
        ConfigError: there are none.
    """
    names = sorted({stored.name for stored in store.stats().counts if stored.name})
    if name not in names:
        there = f"there are scores of {', '.join(names)}" if names else "there are none of any model"
        raise ConfigError(f"--clear-model: there are no scores of {name!r}; {there}")
    return store.clear(name)


def _clean(store: ScoreStore) -> None:
    """Removes what killed runs left, and says what it was."""
    from wd14.run_folder import clear_noted_leftovers, noted_leftovers

    removed = [(left.folder, left.bytes) for left in clear_noted_leftovers()]
    try:
        set_aside = store.stats().set_aside
    except StoreError as error:  # a store that is in use is no reason to leave the rest
        set_aside = ()
        say(f"Damaged score stores were not looked for: {error}")
    for path in (*set_aside, *_temporary_files()):
        with contextlib.suppress(OSError):
            size = path.stat().st_size
            path.unlink()
            removed.append((path, size))
    for path, size in removed:
        say(f"Removed {path} ({size:,} bytes)")
    say(f"Removed {count(sum(size for _, size in removed), 'byte')}.")
    for left in noted_leftovers():
        say(f"Could not be removed: {left.folder}")


def _temporary_files() -> list[Path]:
    """Notes of models' hashes and speeds that were being written by runs that are dead."""
    from wd14.cache_folders import cache_folder

    found = []
    folder = cache_folder()
    for path in (*(folder / "hashes").glob("*.tmp"), *folder.glob("runtimes.*.tmp")):
        with contextlib.suppress(OSError):
            if time.time() - path.lstat().st_mtime > _STALE_AFTER:
                found.append(path)
    return found


def _megabytes(number: int) -> str:
    return f"{number / 1e6:,.1f} MB"
