"""`wd14-captioner cache`: what is stored, and forgetting it."""

from __future__ import annotations

import argparse
from typing import Any

from wd14.cli.output import say
from wd14.config import CaptionConfig
from wd14.text import count


def add_command(commands: Any) -> None:
    """Adds `cache` to the program's commands."""
    parser = commands.add_parser("cache", help="show or clear the stored scores")
    parser.add_argument("--clear", action="store_true", help="forget all stored scores")
    parser.add_argument("--cache-folder", default="", metavar="DIR", help="where the scores are kept")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Shows or clears the stored scores."""
    from wd14.model.score_store.store import ScoreStore

    config = CaptionConfig(cache_folder=args.cache_folder)
    with ScoreStore.open(config.cache_path, log=say) as store:
        if args.clear:
            say(f"Forgot the scores of {count(store.clear(), 'picture')}.")
            return 0
        stats = store.stats()
        used, most = stats.bytes / 1e6, stats.max_bytes / 1e6
        say(f"{stats.path}: {count(stats.total, 'scored picture')}, {used:,.1f} of {most:,.0f} MB")
        for stored in stats.counts:
            name = stored.name or f"unknown model {stored.model[:12]}"
            say(f"  {stored.pictures:>9,}  {name}  ({stored.preprocessing})")
        for path in stats.set_aside:
            say(f"  damaged, set aside, can be deleted: {path}")
    return 0
