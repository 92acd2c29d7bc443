// The state of the page, and the one object that the interface talks to: captions as they are now, thresholds, the log
// of edits, the filter. Everything is kept as numbers; a caption's text is made when somebody asks for it.

class Review {
  /** @param {object} data the page's data, parsed; its form is described in docs/review.md */
  constructor(data) {
    this.dataset = new Dataset(data);
    this.rows = this.dataset.rows;
    this.selected = new Uint8Array(this.rows);
    this.filterText = "";
    this.findingsLabel = "";
    this.log = new EditLog(data.edits ?? []);
    this._texts = this.dataset.texts;
    this._texts.vocabulary = this.dataset.vocabulary;
    this._editor = new Editor(this.dataset);
    this._rules = data.rules && this.dataset.hasCandidates ? new CaptionRules(this.dataset) : null;
    this.runThresholds = this._rules ? { ...this._rules.thresholds } : {};
    this.thresholds = { ...this.runThresholds };
    this._listeners = [];
    this._findingRows = null;
    this._filter = null;
    this._current = [];
    for (let row = 0; row < this.rows; row++) this._refresh(row);
    this._invalidate();
  }

  onChange(listener) {
    this._listeners.push(listener);
  }

  _changed(...what) {
    this._invalidate();
    const set = new Set(what);
    for (const listener of this._listeners) listener(set);
  }

  _invalidate() {
    this._counts = null;
    this._visible = null;
  }

  baseCaption(row) {
    return this.dataset.rawCaptions.get(row) ?? this._texts.join(this.dataset.base.get(row));
  }

  caption(row) {
    return this._current[row].text;
  }

  _unedited(row) {
    return this._isMoved() && this.slides(row) ? this._texts.join(this._rules.ids(row, this.thresholds)) : this.baseCaption(row);
  }

  _isMoved() {
    return Object.keys(this.thresholds).some((category) => this.thresholds[category] !== this.runThresholds[category]);
  }

  slides(row) {
    return this._rules !== null && this._texts.join(this._rules.ids(row, this.runThresholds)) === this.baseCaption(row);
  }

  _refresh(row) {
    const unedited = this._unedited(row);
    let text = unedited;
    let isRejected = false;
    for (const entry of this.log.active()) {
      if (entry.rows !== "all" && !entry.rows.includes(row)) continue;
      if (entry.op === "reject") isRejected = true;
      text = this._editor.text(text, this._editor.compiled(entry));
    }
    this._current[row] = { text, unedited, isRejected };
  }

  _refreshAll() {
    for (let row = 0; row < this.rows; row++) this._refresh(row);
  }

  parts(row) {
    const own = new Set(splitParts(this._current[row].unedited, this.dataset.separator).map(folded));
    const candidates = new Map(this.dataset.candidates(row).flatMap((one) => [[folded(one.text), one], [folded(one.name), one]]));
    return splitParts(this.caption(row), this.dataset.separator).map((text) => {
      const known = candidates.get(folded(text));
      const category = known?.category ?? this.dataset.categoryOf(text);
      return { text, isTag: category !== null, category, score: known?.score ?? null, fromPerson: !own.has(folded(text)) };
    });
  }

  isRejected(row) {
    return this._current[row].isRejected;
  }

  isEdited(row) {
    return this._current[row].isRejected || this._current[row].text !== this._current[row].unedited;
  }

  tokens() {
    return null;
  }

  tagCounts() {
    if (this._counts !== null) return this._counts;
    this._counts = new Map();
    for (let row = 0; row < this.rows; row++) {
      if (this.dataset.statuses[row] === FAILED || this.isRejected(row)) continue;
      for (const text of new Set(splitParts(this.caption(row), this.dataset.separator))) {
        this._counts.set(text, (this._counts.get(text) ?? 0) + 1);
      }
    }
    return this._counts;
  }

  setThreshold(category, value) {
    this.thresholds[category] = value;
    this._refreshAll();
    this._changed("thresholds", "captions");
  }

  resetThresholds() {
    this.thresholds = { ...this.runThresholds };
    this._refreshAll();
    this._changed("thresholds", "captions");
  }

  previewThreshold() {
    return { added: 0, removed: 0, changed: 0 };
  }

  thresholdEffect() {
    return { added: 0, removed: 0, changed: 0 };
  }

  get slidingRows() {
    return this._rules === null ? 0 : this.rows;
  }

  rowsWithTag(word) {
    const key = folded(word);
    return (row) => splitParts(this.caption(row), this.dataset.separator).some((part) => folded(part).includes(key));
  }

  setFilter(text) {
    const { error, test } = parseFilter(text, this);
    if (error !== null) return { error };
    this.filterText = text;
    this._filter = test;
    this._changed("filter");
    return { error: null };
  }

  setFindings(rows, label) {
    this._findingRows = rows === null ? null : Uint8Array.from({ length: this.rows }, () => 0);
    for (const row of rows ?? []) this._findingRows[row] = 1;
    this.findingsLabel = rows === null ? "" : label;
    this._changed("filter");
  }

  get visible() {
    if (this._visible === null) {
      const shown = [];
      for (let row = 0; row < this.rows; row++) {
        if ((this._findingRows?.[row] ?? 1) && (this._filter?.(row) ?? true)) shown.push(row);
      }
      this._visible = Uint32Array.from(shown);
    }
    return this._visible;
  }

  selectionChanged() {
    this._changed("selection");
  }

  findingsOf(row) {
    return this.dataset.findings.filter((finding) => finding.rows.includes(row));
  }

  edit(op, args, rows) {
    const entry = this.log.add(op, args ?? {}, rows === "all" ? "all" : Array.from(rows));
    this._refreshAll();
    this._changed("log", "captions");
    return entry;
  }

  count(op, args, rows) {
    const edit = this._editor.compiled({ op, ...args });
    let count = 0;
    for (const row of rows === "all" ? this._current.keys() : rows) {
      count += op === "reject" ? !this.isRejected(row) : this._editor.text(this.caption(row), edit) !== this.caption(row);
    }
    return count;
  }

  get entries() {
    return this.log.entries;
  }

  get canUndo() {
    return this.log.last !== undefined;
  }

  get canRedo() {
    return this.log.next !== undefined;
  }

  undo() {
    return this.canUndo ? this.setUndone(this.log.last.id, true) : null;
  }

  redo() {
    return this.canRedo ? this.setUndone(this.log.next.id, false) : null;
  }

  setUndone(id, undone) {
    const entry = this.log.setUndone(this.log.get(id), undone);
    this._refreshAll();
    this._changed("log", "captions");
    return entry;
  }

  merge(entries) {
    const changed = this.log.merge(entries);
    if (changed.length === 0) return changed;
    this._refreshAll();
    this._changed("log", "captions");
    return changed;
  }

  get unsaved() {
    return this.log.unsaved;
  }

  markSaved() {
    this.log.markSaved();
    this._changed("log");
  }

  exportEdits() {
    const edits = this.log.active().map((entry) => {
      const edit = { op: entry.op };
      for (const key of OPERATIONS[entry.op]) edit[key] = entry[key];
      const shas = entry.rows === "all" ? "all" : entry.rows.map((row) => this.dataset.sha(row)).filter((sha) => sha);
      edit.rows = shas === "all" ? "all" : [...new Set([...shas, ...(entry.lost ?? [])])];
      return { ...edit, id: entry.id, at: entry.at };
    });
    return { version: 1, edits };
  }

  complete(prefix, limit) {
    const key = folded(prefix);
    const counts = this.tagCounts();
    const found = [];
    const seen = new Set();
    const offer = (text, name, category) => {
      if (seen.has(text) || !(folded(text).includes(key) || folded(name).includes(key))) return;
      seen.add(text);
      found.push({ text, name, category, count: counts.get(text) ?? 0 });
    };
    const { names, texts } = this.dataset.vocabulary;
    names.forEach((name, tag) => {
      for (const id of texts[tag]) offer(this._texts.strings[id], name, this.dataset.categoryOf(this._texts.strings[id]));
    });
    for (const text of counts.keys()) offer(text, text, null);
    const begins = (one) => (folded(one.text).startsWith(key) ? 0 : 1);
    return found.sort((one, other) => begins(one) - begins(other) || other.count - one.count).slice(0, limit);
  }
}
