// Thresholds as limits of stored scores, which are whole numbers of 0.0001: of every tag, and of ratings and quality.

const NEVER = 65535; // above every score

class Limits {
  /**
   * @param {Dataset} dataset
   * @param {object} rules of the page's data
   */
  constructor(dataset, rules) {
    this._dataset = dataset;
    this._rules = rules;
    /** The thresholds of the run, by category. */
    this.run = { ...rules.thresholds };
    this._categoryOf = dataset.vocabulary.categories;
    this._unwanted = flagsOf(rules.unwanted, this._categoryOf.length);
    // A person's, by tag: what is added to the category's, or null for one by itself.
    this._own = new Map(Object.entries(rules.own ?? {}).map(([tag, difference]) => [Number(tag), difference]));
    const ofCategory = this._ofCategories(this.run);
    this._inRun = Uint16Array.from(this._categoryOf, (at) => ofCategory[at]);
    this._byTag = Object.entries(rules.tag_thresholds ?? {}).map(([tag, threshold]) => [Number(tag), threshold]);
    for (const [tag, threshold] of this._byTag) this._inRun[tag] = Math.round(threshold * 10000);
  }

  _ofCategories(thresholds) {
    return this._dataset.categories.map((category) =>
      category in this.run ? Math.round(thresholds[category] * 10000) : NEVER,
    );
  }

  /**
   * The limits under thresholds {category: number}. One that is not the run's takes the place of those that came with
   * the model for single tags; those of a person stay, or move with it.
   */
  of(thresholds) {
    const { categories } = this._dataset;
    const ofCategory = this._ofCategories(thresholds);
    const isMoved = categories.map((category) => thresholds[category] !== this.run[category]);
    const kept = Uint16Array.from(this._categoryOf, (at, tag) => (isMoved[at] ? ofCategory[at] : this._inRun[tag]));
    for (const [tag, difference] of this._own) {
      const at = this._categoryOf[tag];
      if (!isMoved[at]) continue;
      const threshold = thresholds[categories[at]];
      if (difference === null) kept[tag] = this._inRun[tag];
      else if (threshold <= 1) kept[tag] = limitOf(threshold + difference);
    }
    for (let tag = 0; tag < kept.length; tag++) if (this._unwanted[tag]) kept[tag] = NEVER;
    const limits = { kept, singles: {} };
    for (const [category, single] of Object.entries(this._rules.single ?? {})) {
      limits.singles[category] = Math.round(this._single(single, thresholds) * 10000);
    }
    return limits;
  }

  _single(single, thresholds) {
    if (!single.lowest) return single.threshold;
    const { base, own } = single.lowest;
    const lowest = Object.entries(own).map(([category, value]) =>
      thresholds[category] === this.run[category] ? value : thresholds[category],
    );
    return Math.min(base, ...lowest);
  }

  /** Whether a threshold counts for the single tags (rating, quality) too, and so for all pictures. */
  get singlesFollow() {
    const { first = [], last = [], single = {} } = this._rules;
    return [...first, ...last].some((category) => single[category]?.lowest);
  }

  /** The names of the tags for which a person set a threshold. */
  get setTags() {
    return Array.from(this._own.keys(), (tag) => this._dataset.vocabulary.names[tag]);
  }

  /** The categories of tags with thresholds that came with the model. */
  get categoriesByTag() {
    const others = this._byTag.filter(([tag]) => !this._own.has(tag));
    return new Set(others.map(([tag]) => this._dataset.categories[this._categoryOf[tag]]));
  }

  /** The thresholds of single tags in the run: Map name -> number. */
  get runByTag() {
    return new Map(this._byTag.map(([tag, threshold]) => [this._dataset.vocabulary.names[tag], threshold]));
  }
}

/** A threshold as a limit, as `_four_digits` of wd14/caption/page_rules.py. */
function limitOf(threshold) {
  return threshold > 1 ? NEVER : Math.max(0, Math.ceil(Math.round(threshold * 1e10) / 1e6));
}
