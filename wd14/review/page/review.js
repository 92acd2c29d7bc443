// The state of the page, and the one object that the interface talks to: captions as they are now, thresholds, the log
// of edits, the filter. Everything is kept as numbers; a caption's text is made when somebody asks for it.

class Review {
  /** @param {object} data the page's data, parsed; docs/review.md describes its form */
  constructor(data) {
    this.dataset = new Dataset(data);
    this.rows = this.dataset.rows;
    this.selected = new Uint8Array(this.rows); // 1 = selected; call selectionChanged() after writing to it
    this._texts = this.dataset.texts;
    this._typed = new TypedTags(this.dataset);
    this._editor = new Editor(this.dataset, this._typed);
    this._tokens = new TokenCounts(this.dataset);
    this._rules = data.rules && this.dataset.hasCandidates ? new CaptionRules(this.dataset, this._tokens) : null;
    this._table = new CaptionTable(this.dataset, this._editor, this._rules, this._tokens);
    this._scores = new ScoreIndex(this.dataset);
    this._search = null;
    this._startFilter();
    const limits = this._rules?.limits;
    this.runThresholds = { ...limits?.run };
    this.thresholds = { ...this.runThresholds };
    /** Tags for which a person set a threshold: it stays where a slider moves, or moves with it. */
    this.setTags = limits?.setTags ?? [];
    /** Categories whose tags have thresholds of the model's own, in whose place a slider's comes once it moves. */
    this.categoriesByTag = limits?.categoriesByTag ?? new Set();
    this._runByTag = limits?.runByTag ?? new Map();
    this.log = new EditLog(data.edits ?? []);
    this._compiled = new Map(); // by entry id
    this._listeners = [];
    this._cache = {};
    if (this.log.entries.length) this._replayAll();
  }

  /** Calls `listener(what)` after each change; `what` is a set of captions, filter, thresholds, log, selection. */
  onChange(listener) {
    this._listeners.push(listener);
  }

  _changed(...what) {
    this._cache = {};
    const set = new Set(what);
    for (const listener of this._listeners) listener(set);
  }

  _cached(key, make) {
    if (!(key in this._cache)) this._cache[key] = make();
    return this._cache[key];
  }

  // Captions

  caption(row) {
    return this._table.caption(row);
  }

  /** As the run wrote it, before any edit. */
  baseCaption(row) {
    return this._table.baseCaption(row);
  }

  /** The caption without the edits, under the thresholds as they are. */
  uneditedCaption(row) {
    return this._table.uneditedCaption(row);
  }

  /** The parts of the caption, in order: [{text, isTag, category, score, fromPerson}]. */
  parts(row) {
    const { strings, folds, foldNames } = this._texts;
    const before = new Set(Array.from(this._table.unedited.get(row), (id) => folds[id]));
    const scores = this._scoresByFold(row);
    return Array.from(this._table.current.get(row), (id) => {
      const category = this.dataset.categoryOf(strings[id]);
      const score = scores.get(foldNames[folds[id]]) ?? null;
      return { text: strings[id], isTag: category !== null, category, score, fromPerson: !before.has(folds[id]) };
    });
  }

  _scoresByFold(row) {
    const { folds, foldNames } = this._texts;
    const scores = new Map();
    const note = (key, score) => scores.has(key) || scores.set(key, score); // the best come first
    for (const { tag, name, score } of this.dataset.candidates(row)) {
      for (const id of this.dataset.vocabulary.texts[tag]) note(foldNames[folds[id]], score);
      note(folded(name), score);
    }
    return scores;
  }

  isRejected(row) {
    return this._table.isRejected[row] === 1;
  }

  /** Whether edits change the caption, or reject the picture. */
  isEdited(row) {
    return this._table.isEdited[row] === 1;
  }

  /** Whether the caption follows the thresholds. */
  slides(row) {
    return this._table.slides(row);
  }

  /** Tokens of the caption; estimated where `tokensAreExact` says no. */
  tokens(row) {
    return this._table.counts(row) ? this._table.tokens(row) : null;
  }

  tokensAreExact(row) {
    return this._tokens.areExact(this._table.current.get(row));
  }

  /** Why a run may write another caption than this page shows, as a sentence; null: it writes this one. */
  doubt(row) {
    const { _table: table, _rules: rules } = this;
    if (!table.counts(row) || table.isWritten(row) || table.isAsGiven(row)) return null;
    const limit = this.dataset.about.max_tokens;
    const isFitted = table.slides(row) && this._tokens.areAsInARun(table.current.get(row));
    if (limit && table.isEdited[row] && !isFitted) {
      return `A run fits this caption into ${limit} tokens after its edits: it may leave out other tags.`;
    }
    if (rules === null || table.slides(row)) return null;
    if (rules.canWrite(row) && !this.dataset.about.append_tags)
      return "This caption was changed since the run, by no edit: a run makes it anew.";
    return this.movedThresholds
      ? "What the moved thresholds add to the caption of this picture, only a run can say."
      : null;
  }

  /** How many pictures have a `doubt`. */
  get doubtful() {
    return this._cached("doubtful", () => this._allRows.filter((row) => this.doubt(row) !== null).length);
  }

  /** The thresholds that are not those of the run, by category; null where all are. */
  get movedThresholds() {
    const { thresholds, runThresholds } = this;
    const moved = Object.entries(thresholds).filter(([category, value]) => value !== runThresholds[category]);
    return moved.length ? Object.fromEntries(moved) : null;
  }

  /** Whether the tags of a category have the model's own thresholds, and not the one of its slider. */
  hasOwnThresholds(category) {
    return this.categoriesByTag.has(category) && this.thresholds[category] === this.runThresholds[category];
  }

  /** The threshold of a tag in the run, by the model's name for it; undefined where it had none. */
  runThresholdOf(name) {
    return this._runByTag.get(name) ?? this.runThresholds[this.dataset.categoryOfTag(name)];
  }

  /** How many pictures have each text: Map text -> number, of pictures that neither failed nor are rejected. */
  tagCounts() {
    return this._cached("counts", () => {
      const counts = new Map();
      for (let id = 0; id < this._texts.size; id++) {
        const count = this._table.countOf(id);
        if (count > 0) counts.set(this._texts.strings[id], count);
      }
      return counts;
    });
  }

  /** Number of parts of each row's caption; 0 for pictures that failed or are rejected. */
  partLengths() {
    return this._cached("lengths", () =>
      this._table.current.lengths.map((length, row) => (this._table.counts(row) ? length : 0)),
    );
  }

  /** How many pictures neither failed nor are rejected. */
  get countable() {
    return this._cached("countable", () => {
      let count = 0;
      for (let row = 0; row < this.rows; row++) if (this._table.counts(row)) count += 1;
      return count;
    });
  }

  findingsOf(row) {
    return this.dataset.findings.filter((finding) => finding.rows.includes(row));
  }

  /** Completion: tags of the vocabulary and texts in use, [{text, name, category, count}]. */
  complete(prefix, limit) {
    this._search ??= new TagSearch(this.dataset, this._table);
    return this._search.find(prefix, limit);
  }
}

/** Adds the methods of a part of Review, which has a file of its own. */
function extendReview(part) {
  for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(part.prototype))) {
    if (name !== "constructor") Object.defineProperty(Review.prototype, name, property);
  }
}
