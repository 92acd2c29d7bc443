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
   * The rows with scores of a category's tags that other limits may keep or leave; a row once for each such score.
   *
   * @param {Uint16Array} before, after: the limit of each tag
   * @returns {Uint32Array}
   */
  between(category, before, after) {
    const { rows, starts } = this._sorted(category);
    const [lowest, highest] = this._span(category, before, after);
    return rows.subarray(starts[Math.min(10001, lowest)], starts[Math.min(10001, highest)]);
  }

  // The lowest and the highest limit of tags that have another one afterwards; of no score where there is none.
  _span(category, before, after) {
    const { categories, vocabulary } = this._dataset;
    const wanted = categories.indexOf(category);
    let [lowest, highest] = [10001, 0];
    for (let tag = 0; tag < before.length; tag++) {
      if (before[tag] === after[tag] || vocabulary.categories[tag] !== wanted) continue;
      lowest = Math.min(lowest, before[tag], after[tag]);
      highest = Math.max(highest, before[tag], after[tag]);
    }
    return lowest > highest ? [0, 0] : [lowest, highest];
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
