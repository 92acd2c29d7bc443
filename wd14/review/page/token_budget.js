// How many tokens a caption has, and what it leaves out to fit into a number of them, as wd14/caption/token_budget.py.

const LETTERS_A_TOKEN = 4;

/** Tokens of a text, estimated from above as wd14/caption/tokens.py does without CLIP's vocabulary. */
function estimatedTokens(text) {
  let tokens = 0;
  for (const word of text.split(" ")) tokens += estimatedInWord(word);
  return tokens;
}

function estimatedInWord(word) {
  if (!/^[\0-\x7f]*$/.test(word)) return new TextEncoder().encode(word.normalize("NFC").toLowerCase()).length;
  let tokens = word.length;
  for (const [run] of word.matchAll(/[A-Za-z]+/g)) tokens += Math.ceil(run.length / LETTERS_A_TOKEN) - run.length;
  return tokens;
}

/** Counts the tokens of captions: exactly where the page's data has the numbers of all their texts. */
class TokenCounts {
  /** @param {Dataset} dataset */
  constructor(dataset) {
    const known = dataset.data.tokens ?? dataset.data.rules?.tokens ?? null;
    this._areExact = known?.exact === true;
    this._known = known?.counts.length ?? 0; // texts that the run counted; others are a person's
    this._texts = dataset.texts;
    this._separator = dataset.separator;
    this._behind = []; // per text: tokens with the separator behind it
    this._alone = [];
    for (const count of known?.counts ?? []) this._behind.push(count);
    for (const count of known?.last ?? []) this._alone.push(count);
  }

  /** Tokens of the caption that consists of these texts. */
  of(ids) {
    return this.ofRange(ids, 0, ids.length);
  }

  /** The same of the texts from `start` to `end`. */
  ofRange(ids, start, end) {
    if (start === end) return 0;
    while (this._behind.length < this._texts.size) this._estimate(this._behind.length);
    let tokens = this._alone[ids[end - 1]];
    for (let at = start; at < end - 1; at++) tokens += this._behind[ids[at]];
    return tokens;
  }

  /** Tokens of a caption of these texts that reads `text`, where that is not simply their list. */
  ofCaption(ids, text) {
    return text === null || this._areExact ? this.of(ids) : estimatedTokens(text);
  }

  /** Whether a caption of these texts is counted as CLIP does: the run counted all of them. */
  areExact(ids) {
    return this._areExact && this.areAsInARun(ids);
  }

  /** Whether a run counts them alike: it estimates where the page does, or counted all of them. */
  areAsInARun(ids) {
    return !this._areExact || Array.from(ids).every((id) => id < this._known);
  }

  _estimate(id) {
    const text = this._texts.strings[id];
    this._behind[id] = estimatedTokens(stripped(text + this._separator));
    this._alone[id] = estimatedTokens(text);
  }
}

/** Fits captions into a number of tokens: the lowest scores go first, of equal ones the last. */
class TokenBudget {
  /**
   * @param {{limit: number, droppable: number[]}} tokens
   * @param {TokenCounts} counts
   * @param {Int32Array} placeOf of each text of the caption: its place by score, 0 = best
   */
  constructor(tokens, counts, placeOf) {
    this._limit = tokens.limit;
    this._droppable = new Set(tokens.droppable);
    this._placeOf = placeOf;
    this._counts = counts;
  }

  /**
   * The ids that are written; those before `begin` stay.
   *
   * @param {null | {tokens: (ids: number[]) => number, isKept: (id: number) => boolean}} demand how many tokens the
   *     caption of some ids has after its edits, and which texts these edits are about; null = there are none
   */
  fit(ids, begin, demand) {
    const count = demand === null ? (some) => this._counts.of(some) : demand.tokens;
    if (count(ids) <= this._limit) return ids;
    const mayGo = ({ id }) => this._droppable.has(id) && !demand?.isKept(id);
    const worst = ids.map((id, place) => ({ id, place })).slice(begin).filter(mayGo);
    worst.sort((one, other) => this._placeOf[other.id] - this._placeOf[one.id] || other.place - one.place);
    const without = (number) => {
      const gone = new Set(worst.slice(0, number).map(({ place }) => place));
      return ids.filter((_, place) => !gone.has(place));
    };
    // Without `tooFew` the caption does not fit, without `enough` it does.
    let [tooFew, enough] = [0, worst.length];
    let found = without(enough);
    if (count(found) > this._limit) return found;
    while (enough - tooFew > 1) {
      const middle = (tooFew + enough) >> 1;
      const tried = without(middle);
      if (count(tried) <= this._limit) [found, enough] = [tried, middle];
      else tooFew = middle;
    }
    return found;
  }
}
