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
   * The rows of the tags of a category whose scores a threshold passes when it moves; a row once for each such tag.
   *
   * @param {number} from, to thresholds, 0..1
   * @returns {Uint32Array}
   */
  between(category, from, to) {
    const { rows, starts } = this._sorted(category);
    const [one, other] = [from, to].map((value) => Math.min(10001, Math.round(value * 10000)));
    return rows.subarray(starts[Math.min(one, other)], starts[Math.max(one, other)]);
  }

  /** Each of these rows once. */
  each(rows) {
    this._round += 1;
    const { _seen: seen, _round: round } = this;
    const found = new Uint32Array(Math.min(rows.length, seen.length));
    let count = 0;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i];
      if (seen[row] === round) continue;
      seen[row] = round;
      found[count++] = row;
    }
    return found.subarray(0, count);
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
