// An edit in words: what it will do, and what it did.

const EDIT_VERBS = {
  add: { now: "Add", done: "Added", join: "to" },
  remove: { now: "Remove", done: "Removed", join: "from" },
  replace: { now: "Replace", done: "Replaced", join: "in" },
  set: { now: "Set the caption", done: "Set the caption", join: "of" },
  reject: { now: "Reject", done: "Rejected", join: "" },
};

/** `Replace “smile” with “grin”`. */
function editWords(edit) {
  if (edit.keep) return "Reject all copies but the first";
  return [EDIT_VERBS[edit.op].now, objectWords(edit)].filter(Boolean).join(" ");
}

/**
 * The same with what it changes: `Add “smile” to 12 pictures`, or without its tag `Add to 12 pictures`; with `done`
 * `Added …`.
 */
function editInFull(edit, count, done = false) {
  const verb = EDIT_VERBS[edit.op];
  const start = done ? verb.done : verb.now;
  if (edit.keep) return `${start} ${plural(count, "copy", "copies")}, ${done ? "kept" : "keep"} the first`;
  return [start, objectWords(edit), verb.join, plural(count, "picture")].filter(Boolean).join(" ");
}

function objectWords({ op, tag, with: other }) {
  if (tag === undefined) return "";
  return `“${shortened(tag, 60)}”${op === "replace" ? ` with “${shortened(other || "", 60)}”` : ""}`;
}

function shortened(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

/** How many rows an entry names, in words: "all pictures", "12 pictures". */
function rowsWords(rows) {
  return rows === "all" ? "all pictures" : plural(rows.length, "picture");
}
