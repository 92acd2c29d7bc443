// The log of a person's edits. Nothing in it ever vanishes: undoing marks an entry as undone and raises its revision,
// so that the logs of several pages can be merged at any time, in any order.

const OPERATIONS = { add: ["tag"], remove: ["tag"], replace: ["tag", "with"], set: ["caption"], reject: [] };

class EditLog {
  /** @param {object[]} given the edits of the run, in order, as in the page's data */
  constructor(given) {
    this.entries = [];
    given.forEach((edit, position) => this.entries.push(givenEntry(edit, position, this.entries.at(-1))));
    this._byId = new Map(this.entries.map((entry) => [entry.id, entry]));
    this._saved = this._signature();
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
    return this.active().map((entry) => entry.id).join(" ");
  }

  /** Appends a new entry. */
  add(op, args, rows) {
    const at = Math.max(Date.now(), (this.entries.at(-1)?.at ?? 0) + 1);
    const entry = { id: crypto.randomUUID?.() ?? randomId(), at, rev: 0, undone: false, op };
    for (const key of OPERATIONS[op]) entry[key] = args[key];
    entry.rows = rows;
    this.entries.push(entry);
    this._byId.set(entry.id, entry);
    return entry;
  }

  /** The entry that undo would take back, or undefined. The run's own edits are not among them. */
  get last() {
    return this.entries.findLast((entry) => !entry.undone && !entry.given);
  }

  /** The entry that redo would do again, or undefined: the first undone one behind all that count. */
  get next() {
    const start = this.entries.findLastIndex((entry) => !entry.undone) + 1;
    return this.entries.slice(start).find((entry) => !entry.given);
  }

  setUndone(entry, undone) {
    entry.undone = undone;
    entry.rev += 1;
    return entry;
  }

  get(id) {
    return this._byId.get(id);
  }

  /**
   * Takes over the entries of another log.
   *
   * @returns {object[]} the entries that are new here or changed
   */
  merge(entries) {
    const changed = [];
    for (const other of entries) {
      const own = this._byId.get(other.id);
      if (own === undefined) {
        const entry = structuredClone(other);
        this.entries.push(entry);
        this._byId.set(entry.id, entry);
        changed.push(entry);
      } else if (other.rev > own.rev) {
        own.rev = other.rev;
        own.undone = other.undone;
        changed.push(own);
      }
    }
    this.entries.sort((one, other) => one.at - other.at || (one.id < other.id ? -1 : one.id > other.id ? 1 : 0));
    return changed;
  }
}

function givenEntry(edit, position, before) {
  const at = edit.at ?? (before === undefined ? 0 : before.at + 1);
  const entry = { id: edit.id ?? `run-${position}`, at, rev: 0, undone: false, given: true, op: edit.op };
  for (const key of OPERATIONS[edit.op]) entry[key] = edit[key];
  entry.rows = edit.rows;
  if (edit.lost?.length) entry.lost = edit.lost;
  return entry;
}

// Pages from file:// have no crypto.randomUUID in some browsers.
function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
