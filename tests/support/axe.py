"""axe-core: looks for what keeps people with a screen reader, a keyboard or weak eyes from using a page."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from functools import cache
from pathlib import Path

from tests.support.browser import Tab

#: MPL-2.0; fetched for the test, no part of this project.
PACKAGE = "axe-core@4.14.1"
GRAVE = ("serious", "critical")


class Unavailable(Exception):
    """axe-core cannot be had here."""


@cache
def script(folder: Path) -> str:
    """The text of axe-core, fetched into an empty folder.

    Raises:
        Unavailable: says why.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("npm is not installed: apt-get install npm")
    packed = subprocess.run([npm, "pack", "--silent", PACKAGE], cwd=folder, capture_output=True, text=True, check=False)
    if packed.returncode:
        raise Unavailable(f"npm does not get {PACKAGE}: {packed.stderr.strip()[-300:]}")
    with tarfile.open(folder / packed.stdout.split()[-1]) as package:
        member = package.extractfile("package/axe.min.js")
        if member is None:
            raise Unavailable(f"{PACKAGE} has no axe.min.js")
        return member.read().decode()


def faults(tab: Tab, *rules: str) -> list[str]:
    """The serious and critical faults of what the tab shows, by all rules or these; its page was given the script."""
    options = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
    found = tab.js(f"axe.run(document, {json.dumps(options)}).then((found) => found.violations)")
    return [
        f"{fault['impact']}: {fault['help']} ({fault['id']}): {node['html'][:300]} {node['failureSummary'][:300]}"
        for fault in found
        for node in fault["nodes"][:3]
        if fault["impact"] in GRAVE
    ]
