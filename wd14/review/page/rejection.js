// Rejecting one picture, and taking that back. Copies of the same picture are rejected, and taken back, together.

/** Rejects a picture, or takes that back. */
function toggleRejection(ui, row) {
  if (ui.review.isRejected(row)) takeBackRejection(ui, row);
  else ui.edit("reject", {}, [row]);
}

/** Undoes every rejection of a row; other pictures that were rejected together with it stay rejected. */
function takeBackRejection(ui, row) {
  const { review } = ui;
  const own = new Set(review.dataset.twins.get(row) ?? [row]);
  const names = (entry) => entry.rows === "all" || entry.rows.includes(row);
  for (const entry of review.entries.filter((each) => each.op === "reject" && !each.undone && names(each))) {
    const rows = entry.rows === "all" ? Array.from({ length: review.rows }, (_, each) => each) : entry.rows;
    const others = rows.filter((each) => !own.has(each));
    review.setUndone(entry.id, true);
    if (others.length) review.edit("reject", entry.keep ? { keep: entry.keep } : {}, others);
  }
  ui.say(`${own.size === 1 ? "The picture is" : `${plural(own.size, "copy", "copies")} are`} in the dataset again.`);
}
