// Rejecting pictures, and taking that back. Copies of the same picture are rejected, and taken back, together.

/** Rejects pictures; where all of them are rejected already, takes that back. */
function toggleRejection(ui, rows) {
  if (rows.every((row) => ui.review.isRejected(row))) takeBackRejection(ui, rows);
  else ui.edit("reject", {}, rows);
}

/** Undoes every rejection of these rows; other pictures that were rejected together with them stay rejected. */
function takeBackRejection(ui, rows) {
  const { review } = ui;
  const own = new Set(rows.flatMap((row) => review.dataset.twins.get(row) ?? [row]));
  const names = (entry) => entry.rows === "all" || entry.rows.some((row) => own.has(row));
  for (const entry of review.entries.filter((each) => each.op === "reject" && !each.undone && names(each))) {
    const all = entry.rows === "all" ? Array.from({ length: review.rows }, (_, row) => row) : entry.rows;
    const others = all.filter((row) => !own.has(row));
    review.setUndone(entry.id, true);
    if (others.length) review.edit("reject", entry.keep ? { keep: entry.keep } : {}, others);
  }
  ui.say(`${plural(own.size, "picture")} ${own.size === 1 ? "is" : "are"} in the dataset again.`);
}
