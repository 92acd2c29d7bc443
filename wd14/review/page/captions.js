// Captions from scores: what every caption would be under other thresholds. The steps are those of
// wd14/caption/captioner.py, and the tables come from it (wd14/caption/page_rules.py).

class CaptionRules {
  /** @param {Dataset} dataset whose data has `rules` and candidates */
  constructor(dataset) {
    this._dataset = dataset;
    this.rules = dataset.data.rules;
    this.thresholds = { ...this.rules.thresholds };
    const { texts } = dataset;
    this._triggers = dataset.triggers.map((text) => texts.id(text));
    const triggerFolds = new Set(this._triggers.map((id) => texts.folds[id]));
    this._isTrigger = (id) => triggerFolds.has(texts.folds[id]);
  }

  /** The ids of the texts of a row's caption under thresholds, {category: number}. */
  ids(row, thresholds) {
    const { candidateTags, candidateScores, candidateEnds, categories, vocabulary } = this._dataset;
    const { groups, written } = this.rules;
    const kept = [];
    for (let at = candidateEnds[row]; at < candidateEnds[row + 1]; at++) {
      const tag = candidateTags[at];
      const limit = thresholds[categories[vocabulary.categories[tag]]] ?? 2;
      if (candidateScores[at] >= Math.round(limit * 10000)) kept.push(tag);
    }
    kept.sort((one, other) => groups[one] - groups[other] || one - other);
    const found = new Set();
    for (const tag of kept) for (const id of written[tag]) if (!this._isTrigger(id)) found.add(id);
    return [...this._triggers, ...found];
  }
}
