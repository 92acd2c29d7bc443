// `edits.json`: as text, and read back into the log.

/** The file's text: an edit a line, so that people can read and compare it. */
function editsFileText(review) {
  const { version, edits } = review.exportEdits();
  const lines = edits.map((edit) => `  ${JSON.stringify(edit)}`);
  return `{"version": ${version}, "edits": [\n${lines.join(",\n")}\n]}\n`;
}

const SHA = /^[0-9a-f]{64}$/i;

/**
 * The edits of a file as entries of the log.
 * @param {string} text the file's contents
 * @returns {object[]} entries for `review.merge`
 * @throws {Error} it is no edits.json; the message says what was expected
 */
function entriesOfFile(text) {
  let file;
  try {
    file = JSON.parse(text);
  } catch (error) {
    throw new Error(`This is no edits.json: it cannot be read as JSON (${error.message}).`);
  }
  if (file?.version !== 1 || !Array.isArray(file.edits)) {
    throw new Error(
      'This is no edits.json of a version that this page knows: {"version": 1, "edits": […]} was expected.',
    );
  }
  const now = Date.now(); // edits of another program, that say no time, come last
  return file.edits.map((edit, place) => entryOfFile(edit, place, now));
}

function entryOfFile(edit, place, now) {
  const known = edit && Object.hasOwn(OPERATIONS, edit.op) ? OPERATIONS[edit.op] : null;
  const isSha = (row) => typeof row === "string" && SHA.test(row);
  const hasRows = edit?.rows === "all" || (Array.isArray(edit?.rows) && edit.rows.every(isSha));
  if (!known || !hasRows || known.some((key) => typeof edit[key] !== "string")) {
    throw new Error(`Edit ${place + 1} of the file is not one: an "op", what it needs, and "rows" were expected.`);
  }
  const entry = {
    id: isEntryId(edit.id) ? edit.id : `file-${place}-${hashText(JSON.stringify(edit))}`,
    at: isEntryNumber(edit.at) ? edit.at : now + place,
    rev: 0,
    undone: false,
    op: edit.op,
    rows: edit.rows === "all" ? "all" : edit.rows.map((row) => row.toLowerCase()),
  };
  for (const key of known) entry[key] = edit[key];
  if (edit.keep === "first") entry.keep = edit.keep;
  return entry;
}

/** A short text that differs for different texts: the same file, opened twice, gives the same entries. */
function hashText(text) {
  let hash = 0xcbf29ce484222325n;
  for (let at = 0; at < text.length; at++)
    hash = ((hash ^ BigInt(text.charCodeAt(at))) * 0x100000001b3n) & 0xffffffffffffffffn;
  return hash.toString(16);
}
