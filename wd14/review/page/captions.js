// Captions from scores: what a caption is under any thresholds. The steps are those of wd14/caption/captioner.py, and
// the tables come from it (wd14/caption/page_rules.py); a caption takes a few microseconds.

class CaptionRules {
  /**
   * @param {Dataset} dataset whose data has `rules` and candidates
   * @param {TokenCounts} tokens
   */
  constructor(dataset, tokens) {
    const { rules } = dataset.data;
    const tags = dataset.vocabulary.names.length;
    this._dataset = dataset;
    this._rules = rules;
    this.limits = new Limits(dataset, rules);
    this._fixedRows = new Set(rules.fixed_rows ?? []);
    this._heads = new Map(Object.entries(rules.append?.heads ?? {}).map(([row, text]) => [Number(row), text]));
    this._triggers = dataset.triggers.map((text) => dataset.texts.id(text));
    this._triggerTexts = new Set(rules.trigger_ids ?? []);
    this._unwanted = flagsOf(rules.unwanted, tags);
    this._textsOf = flattened(rules.written);
    this._isCharacter = dataset.vocabulary.categories.map((at) => dataset.categories[at] === "character");
    this._sortKey = Int32Array.from(rules.groups, (group, tag) => group * tags + tag);
    this._implied = new Map(Object.entries(rules.implied ?? {}).map(([tag, others]) => [Number(tag), others]));
    this._refiner = rules.refine ? new Refiner(rules.refine, rules.weights, tags) : null;
    this._ranks = rules.ranks ?? null;
    // Scores that are exactly that of the candidate before.
    const ties = dataset.data.candidates.ties ?? [];
    this._ties = new Set(ties.map(([row, place]) => dataset.candidateEnds[row] + place));
    this._tags = dataset.candidateTags.slice(); // by row, in the order in which they are written
    this._scores = dataset.candidateScores.slice();
    this._isSorted = new Uint8Array(dataset.rows);
    this._needsScores = rules.max_tags > 0 || (rules.tokens ?? null) !== null;
    this._scoreOf = new Int32Array(tags); // of the row's kept tags: their place by score, 0 = best
    this._seen = new Int32Array(dataset.data.texts.length);
    this._bestOf = new Int32Array(dataset.data.texts.length); // of the row's texts: their place by score
    this._round = 0;
    this._budget = rules.tokens?.limit ? new TokenBudget(rules.tokens, tokens, this._bestOf) : null;
    const { first = [], last = [] } = rules;
    const isShuffled = rules.order === "alphabetical" || rules.characters_first || first.length + last.length > 0;
    this._plain = [];
    this._isPlain = !isShuffled && !this._needsScores && !this._refiner && !this._implied.size && !this._ranks;
  }

  /** Whether the number of tokens is limited. */
  get hasBudget() {
    return this._budget !== null;
  }

  /** Whether a row's caption can follow from its scores at all. */
  canWrite(row) {
    const { candidateEnds, statuses } = this._dataset;
    return statuses[row] !== FAILED && candidateEnds[row] < candidateEnds[row + 1] && !this._fixedRows.has(row);
  }

  /** Whether a row has a caption that its tags are put behind. */
  hasHead(row) {
    return this._heads.has(row);
  }

  /**
   * The ids of the texts of a row's caption.
   *
   * @param limits of `Limits.of`
   * @param demand what has to fit where tokens are limited, see `TokenBudget.fit`; null = the caption as it is
   * @returns {number[]} only to be read, and only until the next call
   */
  ids(row, limits, demand = null) {
    if (this._isPlain) return this._plainIds(row, limits);
    const ids = this._triggers.slice();
    for (const id of this._written(row, limits)) if (!this._triggerTexts.has(id)) ids.push(id);
    return this._budget === null ? ids : this._budget.fit(ids, this._triggers.length, demand);
  }

  // Where every kept tag is written as it comes, as by default: in one go, for a jump of a slider asks it of all pictures.
  _plainIds(row, limits) {
    const end = this._dataset.candidateEnds[row + 1];
    const round = (this._round += 1);
    if (this._isSorted[row] === 0) this._sort(row);
    const { _tags: tags, _scores: scores, _seen: seen } = this;
    const { items, starts } = this._textsOf;
    const { kept } = limits;
    const ids = this._plain;
    ids.length = 0;
    for (const id of this._triggers) ids.push(id);
    for (const id of this._triggerTexts) seen[id] = round;
    for (let at = this._dataset.candidateEnds[row]; at < end; at++) {
      const tag = tags[at];
      if (scores[at] < kept[tag]) continue;
      for (let place = starts[tag]; place < starts[tag + 1]; place++) {
        const id = items[place];
        if (seen[id] === round) continue;
        seen[id] = round;
        ids.push(id);
      }
    }
    return ids;
  }

  /** The text of a row's caption behind the one that it had; only where it `hasHead`. */
  textBehindHead(row, limits) {
    const { texts, separator } = this._dataset;
    const tags = this._written(row, limits).filter((id) => !this._triggerTexts.has(id));
    return withMissing(this._heads.get(row), tags.map((id) => texts.strings[id]), separator);
  }

  _written(row, limits) {
    const kept = this._refined(this._kept(row, limits));
    this._round += 1;
    let ids = [];
    if (this._rules.characters_first) {
      const characters = kept.filter((tag) => this._isCharacter[tag]);
      this._write(this._rules.order === "model" ? characters.reverse() : characters, ids);
    }
    this._write(kept, ids);
    const { max_tags: most, first = [], last = [] } = this._rules;
    if (most > 0 && ids.length > most) ids = this._best(ids, most);
    if (first.length || last.length) ids = this._withSingles(row, limits, ids, first, last);
    if (this._ranks !== null) sortBy(ids, this._ranks);
    return ids;
  }

  // The tags at or above their limits, in the order in which they are written.
  _kept(row, limits) {
    const { candidateEnds } = this._dataset;
    const end = candidateEnds[row + 1];
    const kept = [];
    if (this._needsScores) this._rankScores(row);
    if (this._isSorted[row] === 0) this._sort(row);
    const { _tags: tags, _scores: scores } = this;
    for (let at = candidateEnds[row]; at < end; at++) {
      const tag = tags[at];
      if (scores[at] >= limits.kept[tag]) kept.push(tag);
    }
    return kept;
  }

  // Brings a row's candidates into the order in which they are written, once for all thresholds.
  _sort(row) {
    this._isSorted[row] = 1;
    if (this._rules.order === "score") return;
    const { candidateEnds } = this._dataset;
    const { _tags: tags, _scores: scores, _sortKey: keys } = this;
    const start = candidateEnds[row];
    for (let i = start + 1; i < candidateEnds[row + 1]; i++) {
      const [tag, score] = [tags[i], scores[i]];
      const key = keys[tag];
      let at = i;
      for (; at > start && keys[tags[at - 1]] > key; at--) {
        tags[at] = tags[at - 1];
        scores[at] = scores[at - 1];
      }
      tags[at] = tag;
      scores[at] = score;
    }
  }

  _rankScores(row) {
    const { candidateTags, candidateEnds } = this._dataset;
    const start = candidateEnds[row];
    let place = 0;
    for (let at = start; at < candidateEnds[row + 1]; at++) {
      if (at > start && !this._ties.has(at)) place = at - start;
      this._scoreOf[candidateTags[at]] = place;
    }
  }

  _refined(kept) {
    const tags = this._refiner === null ? kept : this._refiner.refined(kept);
    if (this._implied.size === 0) return tags;
    const gone = new Set();
    for (const tag of tags) for (const other of this._implied.get(tag) ?? []) gone.add(other);
    return gone.size ? tags.filter((tag) => !gone.has(tag)) : tags;
  }

  // Appends the texts of tags to `ids`, each once.
  _write(tags, ids) {
    const { items, starts } = this._textsOf;
    const begin = ids.length;
    for (let i = 0; i < tags.length; i++) {
      const tag = tags[i];
      for (let at = starts[tag]; at < starts[tag + 1]; at++) {
        const id = items[at];
        if (this._seen[id] !== this._round) {
          this._seen[id] = this._round;
          this._bestOf[id] = this._scoreOf[tag];
          ids.push(id);
        } else if (this._scoreOf[tag] < this._bestOf[id]) this._bestOf[id] = this._scoreOf[tag];
      }
    }
    if (this._rules.order === "alphabetical") sortBy(ids, this._rules.alphabet, begin);
  }

  _best(ids, most) {
    const best = ids.map((id, place) => [this._bestOf[id], place]);
    best.sort((one, other) => one[0] - other[0] || one[1] - other[1]);
    const places = best.slice(0, most).map(([, place]) => place);
    return places.sort((one, other) => one - other).map((place) => ids[place]);
  }

  _withSingles(row, limits, ids, first, last) {
    const found = new Set();
    const add = (category) => {
      const tag = this._single(row, limits, category);
      for (const id of tag < 0 ? [] : this._rules.written[tag]) {
        if (this._seen[id] !== this._round || this._scoreOf[tag] < this._bestOf[id]) this._bestOf[id] = this._scoreOf[tag];
        this._seen[id] = this._round;
        found.add(id);
      }
    };
    first.forEach(add);
    for (const id of ids) found.add(id);
    last.forEach(add);
    return [...found];
  }

  // The best tag of a category of which a picture has one, or -1.
  _single(row, limits, category) {
    const { candidateTags, candidateScores, candidateEnds, categories, vocabulary } = this._dataset;
    const wanted = categories.indexOf(category);
    for (let at = candidateEnds[row]; at < candidateEnds[row + 1]; at++) {
      const tag = candidateTags[at];
      if (vocabulary.categories[tag] !== wanted) continue;
      if (this._unwanted[tag]) {
        if (this._rules.single[category].skip) continue;
        return -1;
      }
      return candidateScores[at] >= limits.singles[category] ? tag : -1;
    }
    return -1;
  }
}

/** Takes the losers of contradictions out of a picture's tags, as wd14/curation/contradictions.py. */
class Refiner {
  constructor({ order, winners, mixers }, weights, tags) {
    this._weights = weights;
    this._place = new Int32Array(tags).fill(-1);
    order.forEach((tag, place) => (this._place[tag] = place));
    this._winners = new Map(Object.entries(winners).map(([loser, own]) => [Number(loser), own]));
    this._mixers = new Map(Object.entries(mixers));
  }

  refined(kept) {
    const there = kept.filter((tag) => this._place[tag] >= 0);
    if (there.length < 2) return kept;
    let total = 0;
    for (const tag of kept) total += this._weights[tag];
    const isOnePerson = total === 1 || (total >= 100 && total < 10000);
    if (!isOnePerson) return kept;
    sortBy(there, this._place);
    const right = new Set();
    const gone = new Set();
    const areBothRight = (tag, other) => (this._mixers.get(`${tag} ${other}`) ?? []).some((mixer) => kept.includes(mixer));
    for (const tag of there) {
      const loses = (this._winners.get(tag) ?? []).some((other) => right.has(other) && !areBothRight(tag, other));
      (loses ? gone : right).add(tag);
    }
    return gone.size ? kept.filter((tag) => !gone.has(tag)) : kept;
  }
}

/** Flags of numbers below `size`. */
function flagsOf(numbers, size) {
  const flags = new Uint8Array(size);
  for (const number of numbers ?? []) flags[number] = 1;
  return flags;
}

/** Lists of numbers in one array, and where each starts. */
function flattened(lists) {
  const starts = new Uint32Array(lists.length + 1);
  lists.forEach((list, i) => (starts[i + 1] = starts[i] + list.length));
  return { items: Uint32Array.from(lists.flat()), starts };
}

/** Sorts a short list from `begin` on in place by the keys of its numbers; equal ones keep their order. */
function sortBy(numbers, keys, begin = 0) {
  for (let i = begin + 1; i < numbers.length; i++) {
    const number = numbers[i];
    const key = keys[number];
    let at = i;
    for (; at > begin && keys[numbers[at - 1]] > key; at--) numbers[at] = numbers[at - 1];
    numbers[at] = number;
  }
}

/** A caption, and behind it the tags that it lacks in any spelling, as `append` of wd14/caption/render.py. */
function withMissing(head, tags, separator) {
  let text = head;
  for (;;) {
    const there = new Set(splitParts(text, separator).map(folded));
    const bounded = separator + text + separator;
    const missing = tags.filter((tag) => !there.has(folded(tag)) && !bounded.includes(separator + tag + separator));
    if (missing.length === 0) return text;
    text = [text, ...missing].filter((part) => part !== "").join(separator);
  }
}
