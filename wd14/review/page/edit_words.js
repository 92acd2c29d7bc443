// An edit in words: what it will do, and what it did.

const EDIT_VERBS = {
  add: { now: "Add", done: "Added", join: "to" },
  remove: { now: "Remove", done: "Removed", join: "from" },
  replace: { now: "Replace", done: "Replaced", join: "in" },
  set: { now: "Set the caption", done: "Set the caption", join: "of" },
  reject: { now: "Reject", done: "Rejected", join: "" },
};

/** `Replace “smile” with “grin”`; with `done`: `Replaced …`. */
function editWords({ op, tag, with: other, caption, keep }, done = false) {
  const verb = EDIT_VERBS[op][done ? "done" : "now"];
  if (op === "set") return done && caption !== undefined ? `${verb} “${shortened(caption, 60)}”` : verb;
  if (op === "reject") return keep ? `${verb} all copies but the first` : verb;
  return `${verb} “${shortened(tag, 60)}”${op === "replace" ? ` with “${shortened(other || "", 60)}”` : ""}`;
}

/** `Added “smile” to 12 pictures`. */
function editDone(edit, count) {
  const words = editWords({ ...edit, caption: undefined }, true);
  return [words, edit.keep ? "of" : EDIT_VERBS[edit.op].join, plural(count, "picture")].filter(Boolean).join(" ");
}

/** `Add to 12 pictures`: what a button says. */
function editAction(op, count) {
  return [EDIT_VERBS[op].now, EDIT_VERBS[op].join, plural(count, "picture")].filter(Boolean).join(" ");
}

function shortened(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

/** How many rows an entry names, in words: "all pictures", "12 pictures". */
function rowsWords(rows) {
  return rows === "all" ? "all pictures" : plural(rows.length, "picture");
}
