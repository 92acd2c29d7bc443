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
    const known = dataset.data.rules?.tokens ?? dataset.data.tokens ?? null;
    this.areExact = known?.exact === true;
    this._texts = dataset.texts;
    this._behind = Array.from(known?.counts ?? []); // per text: tokens with the separator behind it
    this._alone = Array.from(known?.last ?? []);
    this._separator = dataset.separator;
  }

  /** Tokens of the caption that consists of these texts. */
  of(ids) {
    if (ids.length === 0) return 0;
    let tokens = 0;
    for (let i = 0; i < ids.length - 1; i++) tokens += this._behind[ids[i]] ??= this._estimate(ids[i], this._separator);
    const last = ids[ids.length - 1];
    return tokens + (this._alone[last] ??= this._estimate(last, ""));
  }

  _estimate(id, behind) {
    return estimatedTokens(stripped(this._texts.strings[id] + behind));
  }
}

/** Fits captions into a number of tokens: the lowest scores go first, of equal ones the last. */
class TokenBudget {
  /**
   * @param {{limit: number, droppable: number[]}} tokens
   * @param {Dataset} dataset
   * @param {Int32Array} placeOf of each text of the caption: its place by score, 0 = best
   */
  constructor(tokens, dataset, placeOf) {
    this._limit = tokens.limit;
    this._droppable = new Set(tokens.droppable);
    this._placeOf = placeOf;
    this._counts = new TokenCounts(dataset);
  }

  tokensOf(ids) {
    return this._counts.of(ids);
  }

  /** The ids that are written; those before `begin` stay. */
  fit(ids, begin, tokensOf) {
    const count = tokensOf ?? ((some) => this.tokensOf(some));
    if (count(ids) <= this._limit) return ids;
    const worst = ids.map((id, place) => ({ id, place })).slice(begin).filter(({ id }) => this._droppable.has(id));
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
