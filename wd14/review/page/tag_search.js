// Completion of tags: over the model's vocabulary, and over everything else that captions have.

class TagSearch {
  /**
   * @param {Dataset} dataset
   * @param {CaptionTable} table
   */
  constructor(dataset, table) {
    this._dataset = dataset;
    this._texts = dataset.texts;
    this._table = table;
    this._tagOf = new Map(); // by text id: the first tag that is written so
    const { names, texts } = dataset.vocabulary;
    this._foldedNames = names.map(folded);
    texts.forEach((ids, tag) => ids.forEach((id) => this._tagOf.has(id) || this._tagOf.set(id, tag)));
  }

  /**
   * The tags that begin with the prefix, then those of which a later word does, then those that contain it; the most
   * frequent first.
   *
   * @returns {{text: string, name: string, category: string | null, count: number}[]}
   */
  find(prefix, limit) {
    const key = folded(prefix);
    const found = [];
    for (let id = 0; id < this._texts.size; id++) {
      const tag = this._tagOf.get(id);
      const count = this._table.countOf(id);
      if (tag === undefined && count === 0) continue;
      const own = rankOfMatch(this._texts.foldNames[this._texts.folds[id]], key);
      const rank = tag === undefined ? own : Math.min(own, rankOfMatch(this._foldedNames[tag], key));
      if (rank < 3) found.push({ id, tag, count, rank });
    }
    found.sort((one, other) => one.rank - other.rank || other.count - one.count || one.id - other.id);
    return found.slice(0, limit).map(({ id, tag, count }) => this._shown(id, tag, count));
  }

  _shown(id, tag, count) {
    const text = this._texts.strings[id];
    if (tag === undefined) return { text, name: text, category: null, count };
    const { names, categories } = this._dataset.vocabulary;
    return { text, name: names[tag], category: this._dataset.categories[categories[tag]], count };
  }
}

// 0 = begins with it, 1 = a later word does, 2 = contains it, 3 = does not.
function rankOfMatch(name, key) {
  const at = name.indexOf(key);
  if (at <= 0) return at === 0 ? 0 : 3;
  return name.includes(`_${key}`) || name.includes(`(${key}`) ? 1 : 2;
}
