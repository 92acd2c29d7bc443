// The caption of every picture: as the run wrote it, as the thresholds make it, and as a person's edits leave it. Kept
// as lists of text ids; only captions that are no plain list have a text as well.

const UNKNOWN = 2;

class CaptionTable {
  /**
   * @param {Dataset} dataset
   * @param {Editor} editor
   * @param {CaptionRules | null} rules
   */
  constructor(dataset, editor, rules) {
    this._dataset = dataset;
    this._texts = dataset.texts;
    this._editor = editor;
    this._rules = rules;
    this._runLimits = rules?.limitsOf(rules.runThresholds);
    this._limits = this._runLimits;
    this._edits = new Array(dataset.rows); // per row: its edits, in order, also the undone ones
    this._slides = new Uint8Array(dataset.rows).fill(rules === null ? 0 : UNKNOWN);
    this.isMoved = new Uint8Array(dataset.rows); // by the thresholds
    this.isRejected = new Uint8Array(dataset.rows);
    this.isEdited = new Uint8Array(dataset.rows);
    this.unedited = dataset.base.copy();
    this.current = dataset.base.copy();
    this._uneditedTexts = new Map(dataset.rawCaptions);
    this._currentTexts = new Map(dataset.rawCaptions);
    this._counts = new Int32Array(this._texts.size + 1024); // pictures by text id
    this._seen = new Int32Array(this._counts.length);
    this._round = 0;
    for (let row = 0; row < dataset.rows; row++) this._count(row, 1);
  }

  caption(row) {
    return this._currentTexts.get(row) ?? this._texts.join(this.current.get(row));
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

  /** Takes other thresholds for these rows; the caller knows which ones they can change. */
  setThresholds(thresholds, rows) {
    this._limits = this._rules.limitsOf(thresholds);
    for (let i = 0; i < rows.length; i++) {
      if (this.slides(rows[i])) this._rewrite(rows[i]);
    }
  }

  _rewrite(row) {
    if (this._rules.hasHead(row)) {
      const text = this._rules.textBehindHead(row, this._limits);
      this._setUnedited(row, this._texts.idsOf(text), text);
    } else this._setUnedited(row, this._rules.ids(row, this._limits), null);
    this.refresh(row);
  }

  _setUnedited(row, ids, text) {
    this.unedited.set(row, ids, ids.length);
    if (text === null) this._uneditedTexts.delete(row);
    else this._uneditedTexts.set(row, text);
    this.isMoved[row] = text === null && this.unedited.equals(row, this._dataset.base) ? 0 : 1;
  }

  /** Gives rows a further edit, the last one. */
  append(edit, rows) {
    for (const row of rows) {
      (this._edits[row] ??= []).push(edit);
      if (this._rules?.hasBudget) this.refresh(row); // the model's tags make room
      else this._change(row, [edit], true);
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
    this._change(row, this._edits[row] ?? [], false);
  }

  // Replays edits on the caption without edits, or (`isFurther`) on the caption as it is.
  _change(row, edits, isFurther) {
    this._count(row, -1);
    if (!isFurther) this.isRejected[row] = 0;
    const active = edits.filter((edit) => !edit.entry.undone);
    if (active.some((edit) => edit.op === "reject")) this.isRejected[row] = 1;
    const draft = isFurther ? this._draft(row, this.current, this._currentTexts) : this._beginning(row, active);
    for (const edit of active) draft.apply(edit);
    this.current.set(row, draft.ids, draft.ids.length);
    if (draft.text === null) this._currentTexts.delete(row);
    else this._currentTexts.set(row, draft.text);
    this.isEdited[row] = this.isRejected[row] || this._differs(row) ? 1 : 0;
    this._count(row, 1);
  }

  _differs(row) {
    return this._currentTexts.get(row) !== this._uneditedTexts.get(row) || !this.current.equals(row, this.unedited);
  }

  _draft(row, lists, texts) {
    return new Draft(this._editor, this._texts, Array.from(lists.get(row)), texts.get(row) ?? null);
  }

  // What the edits are replayed on. Where tokens are limited, the model's tags leave room for what a person wrote.
  _beginning(row, edits) {
    const unedited = this._draft(row, this.unedited, this._uneditedTexts);
    if (edits.length === 0 || !this._rules?.hasBudget || !this.slides(row)) return unedited;
    const ids = this._rules.ids(row, this._limits, (some) => {
      const draft = new Draft(this._editor, this._texts, Array.from(some), null);
      for (const edit of edits) draft.apply(edit);
      return this._rules.tokensOf(draft.ids);
    });
    return new Draft(this._editor, this._texts, Array.from(ids), null);
  }

  /** Whether an edit would change a row's caption, or reject it. */
  wouldChange(row, edit) {
    if (edit.op === "reject") return this.isRejected[row] === 0;
    const draft = this._draft(row, this.current, this._currentTexts);
    draft.apply(edit);
    if (draft.text !== null || this._currentTexts.has(row)) return (draft.text ?? this._texts.join(draft.ids)) !== this.caption(row);
    const ids = this.current.get(row);
    return ids.length !== draft.ids.length || draft.ids.some((id, i) => id !== ids[i]);
  }

  // Adds a row's texts to the counts, each once, or takes them away.
  _count(row, step) {
    if (!this.counts(row)) return;
    if (this._counts.length < this._texts.size) this._makeRoom();
    this._round += 1;
    const { items, starts, lengths } = this.current;
    const end = starts[row] + lengths[row];
    for (let at = starts[row]; at < end; at++) {
      const id = items[at];
      if (this._seen[id] === this._round) continue;
      this._seen[id] = this._round;
      this._counts[id] += step;
    }
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
  constructor(editor, texts, ids, text) {
    this._editor = editor;
    this._texts = texts;
    this.ids = ids;
    this.text = text;
  }

  apply(edit) {
    if (edit.op === "reject") return;
    if (this.text === null && edit.isClean && this._texts.areClean(this.ids)) this._editor.ids(this.ids, edit);
    else this._setText(this._editor.text(this.text ?? this._texts.join(this.ids), edit));
  }

  _setText(text) {
    this.ids = this._texts.idsOf(text);
    this.text = this._texts.join(this.ids) === text ? null : text;
  }
}
