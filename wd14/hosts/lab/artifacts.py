"""What the page shows of a finished job beside its dataset: a contact sheet, captions, the report, the review page."""

from __future__ import annotations

import csv
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from wd14.errors import JobStoppedError
from wd14.hosts.base import PageWriter
from wd14.hosts.lab.contact_sheet import rows_of, save_contact_sheet
from wd14.hosts.transformer_lab import failure_reason
from wd14.stop import StopToken
from wd14.text import count
from wd14.types import Log, Summary

#: The page loads the whole table and draws every row of it.
_MOST_ROWS = 2000


def save_artifacts(
    lab: Any, folder: Path, summary: Summary, stop: StopToken, log: Log, write_page: PageWriter | None = None
) -> None:
    """Saves them; what cannot be saved is said, and the job goes on: the dataset has it all.

    Args:
        lab: the SDK's facade `lab.lab`.
        folder: the dataset that the job has written. Files are made beside it.
        summary: how the job went.
        stop: ends the drawing of the contact sheet.
        log: shows a line in the job's output.
        write_page: makes the review page; None = there is none.

    Raises:
        JobStoppedError: the job is to stop.
    """
    report = folder / ".wd14" / "report.json"
    sheet, table, page = (folder.parent / name for name in ("contact_sheet.png", "captions.csv", "review.html"))

    def save_sheet() -> None:
        save_contact_sheet(folder, summary.succeeded, summary.caption_column, sheet, stop)
        lab.save_artifact(str(sheet), name=sheet.name)

    def save_table() -> None:
        _write_table(folder, summary.caption_column, table)
        # As a file: the SDKs differ in which data frames they take. It gets the button "Eval Results".
        lab.save_artifact(str(table), name=table.name, type="evals")
        if summary.succeeded > _MOST_ROWS:
            log(f"The table of captions has the first {_MOST_ROWS:,}; the dataset has all.")

    actions: dict[str, Callable[[], Any]] = {
        "contact sheet": save_sheet,
        "table of captions": save_table,
        "report": lambda: lab.save_artifact(str(report), name="wd14_report.json"),
        "review page": lambda: _save_page(lab, folder, page, write_page, log),
    }
    for what, save in actions.items():
        try:
            save()
        except JobStoppedError:
            raise
        except Exception as error:  # noqa: BLE001 - the SDK raises what its storage raises
            log(f"The {what} could not be saved as an artifact ({failure_reason(error)}).")


def _save_page(lab: Any, folder: Path, target: Path, write_page: PageWriter | None, log: Log) -> None:
    left_out = None if write_page is None else write_page(folder, target)
    if left_out is None:
        return
    place = lab.save_artifact(str(target), name=target.name)
    log(f"Review page: the artifact {target.name}; download it and open it in a browser. ({place})")
    if left_out:
        log(f"It has no thumbnails of {count(left_out, 'picture')}; .wd14/review.html in the dataset has all.")


def _write_table(folder: Path, caption_column: str, target: Path) -> None:
    with target.open("w", encoding="utf-8", errors="replace", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["picture", "caption"])
        for picture, row in islice(rows_of(folder), _MOST_ROWS):
            # A line of the file for each row: the page's reader does not know line ends inside a value.
            writer.writerow([picture.relative_to(folder).as_posix(), " ".join(row[caption_column].split())])
