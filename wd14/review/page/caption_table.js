// The caption of every picture: as the run wrote it, as the thresholds make it, and as a person's edits leave it. Kept
// as lists of text ids; only captions that are no plain list have a text as well.

const UNKNOWN = 2;

class CaptionTable {
  /**
   * @param {Dataset} dataset
   * @param {Editor} editor
   * @param {CaptionRules | null} rules
   * @param {TokenCounts} tokens
   */
  constructor(dataset, editor, rules, tokens) {
    this._dataset = dataset;
    this._texts = dataset.texts;
    this._editor = editor;
    this._rules = rules;
    this._tokens = tokens;
    this._runLimits = rules?.limits.of(rules.limits.run);
    this._limits = this._runLimits;
    this._edits = new Array(dataset.rows); // per row: its edits, in order, also the undone ones
    this._slides = new Uint8Array(dataset.rows).fill(rules === null ? 0 : UNKNOWN);
    this.isMoved = new Uint8Array(dataset.rows); // by the thresholds
    this.isRejected = dataset.statuses.map((status) => (status === REJECTED ? 1 : 0));
    this.isEdited = new Uint8Array(dataset.rows);
    this.unedited = dataset.base.copy();
    this.current = dataset.base.copy();
    this._uneditedTexts = new Map(dataset.rawCaptions);
    this._currentTexts = new Map(dataset.rawCaptions);
    this._counts = new Int32Array(this._texts.size + 1024); // pictures by text id
    this._seen = new Int32Array(this._counts.length);
    this._round = 0;
    this._draft = new Draft(editor, this._texts);
    for (let row = 0; row < dataset.rows; row++) this._count(row, 1);
  }

  caption(row) {
    return this._currentTexts.get(row) ?? this._texts.join(this.current.get(row));
  }

  tokens(row) {
    return this._tokens.ofCaption(this.current.get(row), this._currentTexts.get(row) ?? null);
  }

  /** The caption without the edits. */
  uneditedCaption(row) {
    return this._uneditedTexts.get(row) ?? this._texts.join(this.unedited.get(row));
  }

  baseCaption(row) {
    return this._dataset.rawCaptions.get(row) ?? this._texts.join(this._dataset.base.get(row));
  }

  /** Whether a row has a caption that counts: it neither failed nor is rejected. */
  counts(row) {
    return this._dataset.statuses[row] !== FAILED && this.isRejected[row] === 0;
  }

  /** How many pictures have the text of this id. */
  countOf(id) {
    return this._counts[id] ?? 0;
  }

  /** Whether a row's caption follows the thresholds: the rules give what the run wrote. */
  slides(row) {
    if (this._slides[row] === UNKNOWN) this._slides[row] = this._rules.canWrite(row) && this._isAsWritten(row) ? 1 : 0;
    return this._slides[row] === 1;
  }

  _isAsWritten(row) {
    if (this._rules.hasHead(row)) return this._rules.textBehindHead(row, this._runLimits) === this.baseCaption(row);
    const ids = this._rules.ids(row, this._runLimits);
    if (!this._dataset.rawCaptions.has(row)) {
      const base = this._dataset.base.get(row);
      if (base.length === ids.length && ids.every((id, i) => id === base[i])) return true;
    }
    return this._texts.join(ids) === this.baseCaption(row);
  }

  /** The limits of the scores that count now, and those that count under other thresholds. */
  limitsBeside(thresholds) {
    return [this._limits, this._rules.limits.of(thresholds)];
  }

  /** Takes other limits for these rows; the caller knows which ones they can change. */
  setLimits(limits, rows) {
    this._limits = limits;
    for (let i = 0; i < rows.length; i++) if (this.slides(rows[i])) this._rewrite(rows[i]);
  }

  _rewrite(row) {
    const ids = this._rules.hasHead(row) ? null : this._rules.ids(row, this._limits);
    if (ids !== null && this._texts.areClean(ids)) this._setUnedited(row, ids, null);
    else {
      const text = ids === null ? this._rules.textBehindHead(row, this._limits) : this._texts.join(ids);
      const parts = this._texts.idsOf(text);
      this._setUnedited(row, parts, this._texts.join(parts) === text ? null : text);
    }
    this.refresh(row);
  }

  _setUnedited(row, ids, text) {
    this.unedited.set(row, ids, ids.length);
    if (text !== null) this._uneditedTexts.set(row, text);
    else if (this._uneditedTexts.size) this._uneditedTexts.delete(row);
    const isBase = this.unedited.equals(row, this._dataset.base) && text === (this._dataset.rawCaptions.get(row) ?? null);
    this.isMoved[row] = isBase ? 0 : 1;
  }

  /** Gives rows a further edit, the last one. */
  append(edit, rows) {
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i];
      if (this._edits[row] === undefined) this._edits[row] = [edit];
      else this._edits[row].push(edit);
      if (this._rules?.hasBudget || this._dataset.written.has(row)) this.refresh(row); // the model's tags make room
      else if (this.wouldChange(row, edit)) this._edit(row, [edit], this.current, this._currentTexts);
    }
  }

  /** Forgets all edits, and gives rows those of `pairs`, [edit, rows], in this order. */
  replaceEdits(pairs) {
    const before = this._edits;
    this._edits = new Array(this._dataset.rows);
    for (const [edit, rows] of pairs) for (const row of rows) (this._edits[row] ??= []).push(edit);
    for (let row = 0; row < this._edits.length; row++) if (before[row] || this._edits[row]) this.refresh(row);
  }

  /** Works a row's caption out again, after its thresholds or its edits have changed. */
  refresh(row) {
    const edits = this._edits[row];
    if (edits === undefined) this._takeOver(row);
    else this._edit(row, edits, this.unedited, this._uneditedTexts);
  }

  // The caption without edits is the caption.
  _takeOver(row) {
    this._count(row, -1);
    this.current.copyRow(row, this.unedited);
    const text = this._uneditedTexts.get(row);
    if (text !== undefined) this._currentTexts.set(row, text);
    else if (this._currentTexts.size) this._currentTexts.delete(row);
    this.isRejected[row] = this._wasRejected(row);
    this.isEdited[row] = 0;
    this._count(row, 1);
  }

  // Replays edits on the caption without edits, or on the caption as it is.
  _edit(row, edits, lists, texts) {
    this._count(row, -1);
    const isFresh = lists === this.unedited;
    if (isFresh) this.isRejected[row] = edits.some(({ op }) => op === "reject") ? 0 : this._wasRejected(row);
    const draft = this._draft.begin(lists.get(row), texts.get(row) ?? null);
    let isActive = false;
    for (let i = 0; i < edits.length; i++) {
      const edit = edits[i];
      if (edit.entry.undone) continue;
      if (!isActive && isFresh) this._makeRoomForEdits(row, edits);
      isActive = true;
      if (edit.op === "reject") this.isRejected[row] = 1;
      else draft.apply(edit);
    }
    if (isFresh && this.isAsGiven(row)) draft.setText(this._dataset.written.get(row));
    this.current.set(row, draft.ids, draft.ids.length);
    if (draft.text !== null) this._currentTexts.set(row, draft.text);
    else if (this._currentTexts.size) this._currentTexts.delete(row);
    this.isEdited[row] = isActive && (this.isRejected[row] || this._differs(row)) ? 1 : 0;
    this._count(row, 1);
  }

  // Whether the run left the picture out; an edit of the log that did it has the last word, as it can be undone.
  _wasRejected(row) {
    return this._dataset.statuses[row] === REJECTED ? 1 : 0;
  }

  _differs(row) {
    return this._currentTexts.get(row) !== this._uneditedTexts.get(row) || !this.current.equals(row, this.unedited);
  }

  // Where tokens are limited, the model's tags leave room for what a person wrote.
  _makeRoomForEdits(row, edits) {
    if (!this._rules?.hasBudget || !this.slides(row)) return;
    const draft = this._draft;
    const active = edits.filter((edit) => !edit.entry.undone);
    const tokens = (ids) => {
      draft.begin(ids, null);
      for (const edit of active) draft.apply(edit);
      return this._tokens.ofCaption(draft.ids, draft.text);
    };
    const isKept = (id) => active.some((edit) => edit.named.has(this._texts.folds[id]));
    draft.begin(this._rules.ids(row, this._limits, { tokens, isKept }), null);
  }

  /** Whether an edit would change a row's caption, or reject it. */
  wouldChange(row, edit) {
    if (edit.op === "reject") return this.isRejected[row] === 0;
    const text = this._currentTexts.get(row) ?? null;
    const ids = this.current.get(row);
    if (text === null && edit.isClean && !this._editor.touches(ids, edit)) return false;
    const draft = this._draft.begin(ids, text);
    draft.apply(edit);
    if (draft.text !== null || text !== null) return (draft.text ?? this._texts.join(draft.ids)) !== this.caption(row);
    return ids.length !== draft.ids.length || draft.ids.some((id, i) => id !== ids[i]);
  }

  // Adds a row's texts to the counts, each once, or takes them away.
  _count(row, step) {
    if (!this.counts(row)) return;
    if (this._counts.length < this._texts.size) this._makeRoom();
    this._round += 1;
    const { _seen: seen, _round: round, _counts: counts, current } = this;
    const { items } = current;
    const end = current.starts[row] + current.lengths[row];
    for (let at = current.starts[row]; at < end; at++) {
      const id = items[at];
      if (seen[id] === round) continue;
      seen[id] = round;
      counts[id] += step;
    }
  }

  /** Whether a caption has the edits of the run, and no others: it is known what the run made of them. */
  isAsGiven(row) {
    if (!this._dataset.written.has(row) || this.isMoved[row]) return false;
    return this._edits[row]?.every(({ entry }) => entry.undone !== (entry.given === true)) ?? false;
  }

  /** Whether a person wrote the caption: the thresholds and the limit of tokens have no say. */
  isWritten(row) {
    return this._edits[row]?.some(({ op, entry }) => op === "set" && !entry.undone) ?? false;
  }

  _makeRoom() {
    const counts = new Int32Array(2 * this._texts.size);
    counts.set(this._counts);
    this._counts = counts;
    this._seen = new Int32Array(counts.length);
  }
}

/** A caption that is being edited: the ids of its parts and, where they are not all of it, its text. */
class Draft {
  constructor(editor, texts) {
    this._editor = editor;
    this._texts = texts;
    this.ids = [];
    this.text = null;
  }

  begin(ids, text) {
    this.ids.length = 0;
    for (let i = 0; i < ids.length; i++) this.ids.push(ids[i]);
    this.text = text;
    return this;
  }

  apply(edit) {
    if (this.text === null && edit.isClean && this._texts.areClean(this.ids)) this._editor.ids(this.ids, edit);
    else this.setText(this._editor.text(this.text ?? this._texts.join(this.ids), edit));
  }

  setText(text) {
    this.ids = this._texts.idsOf(text);
    this.text = this._texts.join(this.ids) === text ? null : text;
  }
}
