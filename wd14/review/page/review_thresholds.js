// Review: the thresholds, and what they would change.

class ReviewThresholds {
  setThreshold(category, value) {
    this._moveThresholds({ ...this.thresholds, [category]: value });
  }

  resetThresholds() {
    this._moveThresholds({ ...this.runThresholds });
  }

  _moveThresholds(thresholds) {
    if (this._rules === null) return;
    const [before, after] = this._table.limitsBeside(thresholds);
    const rows = this._rowsThatMove(thresholds, before.kept, after.kept);
    this.thresholds = thresholds;
    this._table.setLimits(after, rows);
    this._changed("thresholds", "captions");
  }

  _rowsThatMove(thresholds, before, after) {
    const moved = Object.keys(thresholds).filter((category) => thresholds[category] !== this.thresholds[category]);
    if (moved.length && this._rules.limits.singlesFollow) return this._allRows;
    const rows = moved.map((category) => this._scores.between(category, before, after));
    return this._scores.each(rows.length === 1 ? rows[0] : rows.flatMap((some) => Array.from(some)));
  }

  /** What the thresholds as they are add to the captions of the run and remove from them, before edits. */
  thresholdEffect() {
    return this._cached("effect", () => {
      const effect = { added: 0, removed: 0, changed: 0 };
      const seen = new Float64Array(this._texts.size); // a set for each row would take a tenth of a second
      for (let row = 0; row < this.rows; row++) {
        if (!this._table.isMoved[row] || !this._table.counts(row)) continue;
        addDifference(effect, row, this.dataset.base, this._table.unedited, seen);
        effect.changed += 1;
      }
      return effect;
    });
  }
}

/** Counts the texts of a row that only one of two tables has. `seen`: per text; holds marks of earlier rows only. */
function addDifference(effect, row, before, after, seen) {
  const mark = 2 * row + 1;
  for (let at = before.starts[row], end = at + before.lengths[row]; at < end; at++) {
    const id = before.items[at];
    if (seen[id] === mark) continue;
    seen[id] = mark;
    effect.removed += 1;
  }
  for (let at = after.starts[row], end = at + after.lengths[row]; at < end; at++) {
    const id = after.items[at];
    if (seen[id] === mark) effect.removed -= 1;
    else if (seen[id] !== mark + 1) effect.added += 1;
    seen[id] = mark + 1;
  }
}

extendReview(ReviewThresholds);
