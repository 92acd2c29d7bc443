// Review: a person's edits, undo and redo, and how they leave the page.

const LONGEST_TAG = 1000;
const LONGEST_CAPTION = 100000;
// Control characters, ends of lines, and half characters.
const UNWRITABLE = /[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]/u;

class ReviewEdits {
  /**
   * Edits captions.
   *
   * @param {"add" | "remove" | "replace" | "set" | "reject"} op
   * @param {{tag?: string, with?: string, caption?: string, keep?: "first"}} args what the op needs; a reject that keeps
   *     the first leaves of pictures that are the same the first one in
   * @param {Iterable<number> | "all"} rows
   * @returns the log's entry
   * @throws {TypeError} a run would refuse the edit
   */
  edit(op, args, rows) {
    const entry = this.log.add(op, this._named(args ?? {}), this._widened(rows));
    this._table.append(this._edit(entry), this._rowsOf(entry));
    this._changed("log", "captions");
    return entry;
  }

  // A tag by the name that it has in every style.
  _named(args) {
    const named = { ...args };
    if (/[\0\ud800-\udfff]/u.test(args.caption ?? "") || args.caption?.length > LONGEST_CAPTION) {
      throw new TypeError(`expected a caption of at most ${LONGEST_CAPTION} characters, none of them a NUL or half of one`);
    }
    for (const key of ["tag", "with"]) {
      if (typeof args[key] !== "string") continue;
      this._checkTag(args[key]);
      named[key] = this._typed.nameOf(stripped(args[key]));
    }
    return named;
  }

  // What a run refuses, as wd14/review/edits.py has it.
  _checkTag(tag) {
    const bare = stripped(this.dataset.separator);
    const isCut = bare !== "" && tag.includes(bare) && !this._typed.isKnown(tag);
    if (isCut || tag.length > LONGEST_TAG || UNWRITABLE.test(tag)) {
      throw new TypeError(`expected one tag in one line, without the captions' separator, got ${JSON.stringify(tag)}`);
    }
  }

  // Edits are kept by the pictures' contents: what is done to one is done to all that are the same.
  _widened(rows) {
    if (rows === "all") return rows;
    const { twins } = this.dataset;
    const wanted = new Set();
    for (const row of rows) for (const twin of twins.get(row) ?? [row]) wanted.add(twin);
    return [...wanted].sort((one, other) => one - other);
  }

  _edit(entry) {
    let edit = this._compiled.get(entry.id);
    if (edit === undefined) {
      edit = this._editor.compiled(entry);
      this._compiled.set(entry.id, edit);
    }
    return edit;
  }

  // Pictures that failed have no caption.
  _rowsOf({ rows, keep }) {
    const { statuses } = this.dataset;
    const twins = keep === "first" ? this.dataset.twins : null;
    const isMeant = (row) => twins === null || (twins.get(row)?.[0] ?? row) !== row;
    return (rows === "all" ? this._allRows : rows).filter((row) => statuses[row] !== FAILED && isMeant(row));
  }

  get _allRows() {
    this._everyRow ??= Array.from({ length: this.rows }, (_, row) => row);
    return this._everyRow;
  }

  _replayAll() {
    this._table.replaceEdits(this.log.entries.map((entry) => [this._edit(entry), this._rowsOf(entry)]));
  }

  /** How many pictures an edit would change. */
  count(op, args, rows) {
    const edit = this._editor.compiled({ op, ...args });
    let count = 0;
    for (const row of this._rowsOf({ rows: this._widened(rows), keep: args?.keep })) if (this._table.wouldChange(row, edit)) count += 1;
    return count;
  }

  /** All entries of the log, in order: those of the run and the undone ones as well. */
  get entries() {
    return this.log.entries;
  }

  get canUndo() {
    return this.log.last !== undefined;
  }

  get canRedo() {
    return this.log.next !== undefined;
  }

  /** Takes the last edit back that was made here. @returns its entry, or null */
  undo() {
    return this.canUndo ? this.setUndone(this.log.last.id, true) : null;
  }

  redo() {
    return this.canRedo ? this.setUndone(this.log.next.id, false) : null;
  }

  /** Takes one edit back, or makes it again, wherever it is in the log. */
  setUndone(id, undone) {
    const entry = this.log.get(id);
    if (entry.undone !== undone) {
      this.log.setUndone(entry, undone);
      for (const row of this._rowsOf(entry)) this._table.refresh(row);
      this._changed("log", "captions");
    }
    return entry;
  }

  /**
   * Takes over the entries of another page's log, or of the server's.
   *
   * @param {object[]} entries as in `entries`, or as `wire` makes them
   * @returns {object[]} those that are new here or changed
   * @throws {TypeError} an entry is none
   */
  merge(entries) {
    const changed = this.log.merge(entries.map((entry) => this._received(entry)));
    if (changed.length === 0) return changed;
    this._replayAll();
    this._changed("log", "captions");
    return changed;
  }

  /** An entry with the pictures' sha256 for their rows, for other pages of the same pictures. */
  wire(entry) {
    const { lost = [], given, ...sent } = entry;
    if (entry.rows !== "all") sent.rows = [...this._shas(entry.rows), ...lost];
    return sent;
  }

  _shas(rows) {
    return [...new Set(rows.map((row) => this.dataset.sha(row)).filter((sha) => sha !== ""))];
  }

  _received(entry) {
    checkEntry(entry, this.rows);
    if (entry.rows === "all" || typeof entry.rows[0] !== "string") return entry;
    const lost = entry.rows.filter((sha) => this.dataset.rowsOf(sha).length === 0);
    const rows = entry.rows.flatMap((sha) => this.dataset.rowsOf(sha)).sort((one, other) => one - other);
    return lost.length ? { ...entry, rows, lost } : { ...entry, rows };
  }

  /** Whether there are edits that `markSaved` has not been told of. */
  get unsaved() {
    return this.log.unsaved;
  }

  markSaved() {
    this.log.markSaved();
    this._changed("log");
  }

  /** The edits in the form of edits.json. */
  exportEdits() {
    const edits = this.log.active().map((entry) => {
      const edit = { op: entry.op };
      for (const key of [...OPERATIONS[entry.op], "keep"]) if (key in entry) edit[key] = entry[key];
      return { ...edit, rows: this.wire(entry).rows, id: entry.id, at: entry.at };
    });
    return { version: 1, edits };
  }
}

extendReview(ReviewEdits);
