// The log of a person's edits. Nothing in it ever vanishes: undoing marks an entry as undone and raises its revision,
// so that the logs of several pages can be merged at any time, in any order.

// The operations, and what each needs.
const OPERATIONS = { add: ["tag"], remove: ["tag"], replace: ["tag", "with"], set: ["caption"], reject: [] };

// What tells entries from others, as wd14/review/edits.py has it.
function isEntryId(value) {
  return typeof value === "string" && /^[\w.-]{1,64}$/.test(value);
}

function isEntryNumber(value) {
  return Number.isSafeInteger(value) && value >= 0;
}

class EditLog {
  /** @param {object[]} given the edits of the run, in order, as in the page's data */
  constructor(given) {
    this.entries = [];
    this._byId = new Map();
    for (const [position, edit] of given.entries()) {
      const id = this._byId.has(edit.id) ? undefined : edit.id; // a person copied its line
      this._put(givenEntry({ ...edit, id }, position, this.entries.at(-1)));
    }
    this._saved = this._signature();
  }

  _put(entry) {
    this.entries.push(entry);
    this._byId.set(entry.id, entry);
    return entry;
  }

  /** The entries that count, in order. */
  active() {
    return this.entries.filter((entry) => !entry.undone);
  }

  get unsaved() {
    return this._signature() !== this._saved;
  }

  markSaved() {
    this._saved = this._signature();
  }

  _signature() {
    return JSON.stringify(this.active().map((entry) => entry.id));
  }

  get(id) {
    return this._byId.get(id);
  }

  /** Appends a new entry. */
  add(op, args, rows) {
    const at = Math.max(Date.now(), (this.entries.at(-1)?.at ?? -1) + 1);
    const entry = { id: randomId(), at, rev: 0, undone: false, op };
    for (const key of OPERATIONS[op]) entry[key] = args[key];
    if (args.keep !== undefined) entry.keep = args.keep;
    return this._put(checkEntry({ ...entry, rows }, Infinity));
  }

  /** The entry that undo takes back, or undefined. The run's own edits are not among them. */
  get last() {
    return this.entries.findLast((entry) => !entry.undone && !entry.given);
  }

  /** The entry that redo makes again, or undefined: the first undone one behind all that count. */
  get next() {
    const start = this.entries.findLastIndex((entry) => !entry.undone) + 1;
    return this.entries.slice(start).find((entry) => !entry.given);
  }

  setUndone(entry, undone) {
    entry.undone = undone;
    entry.rev += 1;
  }

  /**
   * Takes over the entries of another log: of each the higher revision.
   *
   * @returns {object[]} the entries that are new here or changed
   */
  merge(entries) {
    const changed = [];
    for (const other of entries) {
      const own = this._byId.get(other.id);
      if (own === undefined) changed.push(this._put(structuredClone(other)));
      else if (other.rev > own.rev && isSameEdit(own, other)) {
        own.rev = other.rev;
        own.undone = other.undone;
        changed.push(own);
      }
    }
    this.entries.sort((one, other) => one.at - other.at || (one.id < other.id ? -1 : 1));
    return changed;
  }
}

// The ids of a run's edits may be mere positions: those of another run are other edits.
function isSameEdit(one, other) {
  const content = ({ op, tag, caption, keep, ...rest }) => JSON.stringify([op, tag, rest.with, caption, keep, rest.rows]);
  return !one.given || content(one) === content(other);
}

function givenEntry(edit, position, before) {
  const earliest = before === undefined ? 0 : before.at + 1;
  const entry = { id: edit.id ?? `run-${position}`, at: Math.max(edit.at ?? 0, earliest), rev: 0, undone: false };
  entry.given = true;
  entry.op = edit.op;
  for (const key of [...OPERATIONS[edit.op], "keep"]) if (key in edit) entry[key] = edit[key];
  entry.rows = edit.rows;
  if (edit.lost?.length) entry.lost = edit.lost;
  return entry;
}

/**
 * Checks an entry that comes from elsewhere: stored, or sent by the server.
 *
 * @param {number} rows how many there are
 * @throws {TypeError}
 */
function checkEntry(entry, rows) {
  const isRow = (row) => Number.isInteger(row) && row >= 0 && row < rows;
  const isSha = (row) => typeof row === "string" && /^[0-9a-f]{64}$/.test(row);
  const isEntry =
    typeof entry === "object" &&
    entry !== null &&
    isEntryId(entry.id) &&
    isEntryNumber(entry.at) &&
    isEntryNumber(entry.rev) &&
    typeof entry.undone === "boolean" &&
    Object.hasOwn(OPERATIONS, entry.op) &&
    OPERATIONS[entry.op].every((key) => typeof entry[key] === "string") &&
    (entry.tag === undefined || stripped(entry.tag) !== "") &&
    (entry.keep === undefined || (entry.op === "reject" && entry.keep === "first")) &&
    (entry.rows === "all" || (Array.isArray(entry.rows) && (entry.rows.every(isRow) || entry.rows.every(isSha))));
  if (!isEntry) throw new TypeError(`expected an entry of the log of edits, got ${JSON.stringify(entry)?.slice(0, 200)}`);
  return entry;
}

// Pages from file:// have no crypto.randomUUID in some browsers.
function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
