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
    this._tagOf = new Map(); // by folded spelling: the first tag that is written or named so
    for (const own of dataset.tagSpellings.keys()) this._note(own, dataset.tagSpellings[own].slice(1));
    for (const own of dataset.tagSpellings.keys()) this._note(own, dataset.tagSpellings[own].slice(0, 1));
  }

  _note(tag, spellings) {
    for (const key of spellings) if (!this._tagOf.has(key)) this._tagOf.set(key, tag);
  }

  /**
   * The tags that begin with the prefix, then those of which a later word does, then those that contain it; the most
   * frequent first.
   *
   * @returns {{text: string, name: string, category: string | null, count: number}[]}
   */
  find(prefix, limit) {
    const key = folded(prefix);
    const { folds, foldNames, size } = this._texts;
    const found = new Map(); // by folded spelling: of several texts the most frequent
    for (let id = 0; id < size; id++) {
      const name = foldNames[folds[id]];
      const tag = this._tagOf.get(name);
      const count = this._table.countOf(id);
      if (tag === undefined && count === 0) continue;
      const names = tag === undefined ? [name] : [name, this._dataset.tagSpellings[tag][0]];
      const rank = Math.min(...names.map((one) => rankOfMatch(one, key)));
      if (rank < 3 && !(found.get(name)?.count >= count)) found.set(name, { id, tag, count, rank });
    }
    const best = [...found.values()];
    best.sort((one, other) => one.rank - other.rank || other.count - one.count || one.id - other.id);
    return best.slice(0, limit).map(({ id, tag, count }) => this._shown(id, tag, count));
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
