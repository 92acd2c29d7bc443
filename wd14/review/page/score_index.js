// All scores of a category in order, so that a step of a threshold touches only the pictures that it changes.

class ScoreIndex {
  /** @param {Dataset} dataset */
  constructor(dataset) {
    this._dataset = dataset;
    this._byCategory = new Map();
    this._seen = new Int32Array(dataset.rows);
    this._round = 0;
  }

  /**
   * Calls `visit(row)` for each tag of a category whose score a threshold passes when it moves.
   *
   * @param {number} from, to thresholds, 0..1
   */
  forEachTag(category, from, to, visit) {
    const { rows, starts } = this._sorted(category);
    const [low, high] = [from, to].map((value) => Math.min(10001, Math.round(value * 10000))).sort((a, b) => a - b);
    for (let at = starts[low]; at < starts[high]; at++) visit(rows[at]);
  }

  /** The rows that a threshold's move can change, each once. */
  rowsBetween(category, from, to) {
    this._round += 1;
    const found = [];
    this.forEachTag(category, from, to, (row) => {
      if (this._seen[row] === this._round) return;
      this._seen[row] = this._round;
      found.push(row);
    });
    return found;
  }

  // The rows of a category's scores, the lowest first, and where each score begins; sorted by counting.
  _sorted(category) {
    let sorted = this._byCategory.get(category);
    if (sorted === undefined) {
      sorted = this._sort(this._dataset.categories.indexOf(category));
      this._byCategory.set(category, sorted);
    }
    return sorted;
  }

  _sort(wanted) {
    const { rows: count, candidateTags, candidateScores, candidateEnds } = this._dataset;
    const categories = Uint8Array.from(this._dataset.vocabulary.categories);
    const starts = new Uint32Array(10003);
    for (let at = 0; at < candidateTags.length; at++) {
      if (categories[candidateTags[at]] === wanted) starts[candidateScores[at] + 1] += 1;
    }
    for (let score = 1; score < starts.length; score++) starts[score] += starts[score - 1];
    const next = starts.slice();
    const rows = new Uint32Array(starts[starts.length - 1]);
    for (let row = 0; row < count; row++) {
      for (let at = candidateEnds[row]; at < candidateEnds[row + 1]; at++) {
        if (categories[candidateTags[at]] === wanted) rows[next[candidateScores[at]]++] = row;
      }
    }
    return { rows, starts };
  }
}
