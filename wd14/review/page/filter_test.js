// From the tree of a filter to a test of pictures. Tags are compared as numbers; 30,000 pictures take milliseconds.

const COPY_RULES = ["same-picture", "different-captions", "near-duplicates"];

/** Makes tests of pictures for a review as it stands; after a change of captions they must be made again. */
class FilterTests {
  /**
   * @param {Dataset} dataset
   * @param {CaptionTable} table
   * @param {TokenCounts} tokens
   * @param {Uint8Array} selected per row
   * @param {(row: number) => string | null} doubt of a review
   */
  constructor(dataset, table, tokens, selected, doubt) {
    this._dataset = dataset;
    this._texts = dataset.texts;
    this._table = table;
    this._tokenCounts = tokens;
    this._selected = selected;
    this._doubt = doubt;
  }

  /** @returns {(row: number) => boolean} */
  of(node) {
    if (node.kind === "tag") return this._hasTag(this._textsLike(node.text, node.isQuoted));
    if (node.kind === "not") {
      const test = this.of(node.node);
      return (row) => !test(row);
    }
    if (node.kind === "and" || node.kind === "or") {
      const tests = node.nodes.map((one) => this.of(one));
      if (node.kind === "and") return (row) => tests.every((test) => test(row));
      return (row) => tests.some((test) => test(row));
    }
    return this[`_${node.kind}`](node);
  }

  /** Whether a filter depends on which pictures are selected. */
  static usesSelection(node) {
    if (node.kind === "is") return node.choices.includes("selected");
    return [...(node.nodes ?? []), ...(node.node ? [node.node] : [])].some(FilterTests.usesSelection);
  }

  // Flags of the texts that a word means: those of exactly this tag; where none is in use, those that contain it.
  _textsLike(text, isQuoted) {
    const key = folded(text);
    const { folds, foldNames } = this._texts;
    const isPattern = !isQuoted && /[*?]/.test(key) && /[\p{L}\p{N}]/u.test(key);
    const isUsed = !isPattern && this._isUsed(this._texts.findFold(key));
    const pattern = isPattern ? wildcardPattern(key) : null;
    const isLike = foldNames.map((name) => {
      if (isPattern) return pattern.test(name);
      return isQuoted || isUsed ? name === key : name.includes(key);
    });
    return Uint8Array.from({ length: this._texts.size }, (_, id) => (isLike[folds[id]] ? 1 : 0));
  }

  _isUsed(fold) {
    if (fold < 0) return false;
    this._usedFolds ??= this._dataset.usedFolds();
    if (this._usedFolds[fold]) return true;
    const { folds, size } = this._texts;
    for (let id = 0; id < size; id++) if (folds[id] === fold && this._table.countOf(id) > 0) return true;
    return false;
  }

  _hasTag(flags) {
    const { items, starts, lengths } = this._table.current;
    return (row) => {
      const end = starts[row] + lengths[row];
      for (let at = starts[row]; at < end; at++) if (flags[items[at]]) return true;
      return false;
    };
  }

  _within(node, numberOf) {
    const { low, high, isOpen } = node;
    return (row) => {
      const number = numberOf(row);
      return number !== null && (isOpen ? number > low && number < high : number >= low && number <= high);
    };
  }

  _tokens(node) {
    const { items, starts, lengths } = this._table.current;
    return this._within(node, (row) => this._tokenCounts.ofRange(items, starts[row], starts[row] + lengths[row]));
  }

  _tags(node) {
    return this._within(node, (row) => this._table.current.lengths[row]);
  }

  _width(node) {
    return this._within(node, (row) => this._dataset.sizes[2 * row] || null);
  }

  _height(node) {
    return this._within(node, (row) => this._dataset.sizes[2 * row + 1] || null);
  }

  _score(node) {
    const isWanted = this._tagsLike(node.text);
    const { candidateTags, candidateScores, candidateEnds } = this._dataset;
    const [low, high] = [node.low * 10000, node.high * 10000];
    return (row) => {
      for (let at = candidateEnds[row]; at < candidateEnds[row + 1]; at++) {
        if (!isWanted[candidateTags[at]]) continue;
        const score = candidateScores[at];
        if (node.isOpen ? score > low && score < high : score >= low && score <= high) return true;
      }
      return false;
    };
  }

  // Scored, and not in the caption.
  _candidate(node) {
    const isWanted = this._tagsLike(node.text);
    const { candidateTags, candidateEnds, vocabulary } = this._dataset;
    const { current } = this._table;
    return (row) => {
      for (let at = candidateEnds[row]; at < candidateEnds[row + 1]; at++) {
        const tag = candidateTags[at];
        if (isWanted[tag] && !vocabulary.texts[tag].some((id) => current.get(row).includes(id))) return true;
      }
      return false;
    };
  }

  // Flags of the model's tags that a word means, by their names or texts.
  _tagsLike(text) {
    const key = folded(text);
    const pattern = /[*?]/.test(key) && /[\p{L}\p{N}]/u.test(key) ? wildcardPattern(key) : null;
    const spellings = this._dataset.tagSpellings;
    let like = (name) => name === key;
    if (pattern !== null) like = (name) => pattern.test(name);
    else if (!spellings.some((own) => own.includes(key))) like = (name) => name.includes(key);
    return Uint8Array.from(spellings, (own) => (own.some(like) ? 1 : 0));
  }

  _name(node) {
    const like = containing(node.text);
    return (row) => like(this._dataset.name(row) ?? "") || like(this._dataset.source(row));
  }

  _text(node) {
    const like = containing(node.text);
    const isWithinTexts = this._isWithinTexts(node.text);
    if (!isWithinTexts) return (row) => like(this._table.caption(row));
    const { size, strings } = this._texts;
    const hasTag = this._hasTag(Uint8Array.from({ length: size }, (_, id) => (like(strings[id]) ? 1 : 0)));
    return hasTag;
  }

  // Whether words cannot reach over a separator: then the texts are looked at once, and not each caption.
  _isWithinTexts(words) {
    const bare = bareSeparator(this._dataset.separator);
    return bare !== "" && !/[*?]/.test(words) && stripped(words) === words && !Array.from(bare).some((one) => words.includes(one));
  }

  _finding(node) {
    const like = containing(node.text);
    const rows = this._dataset.findings.filter(({ rule }) => like(rule)).flatMap((finding) => finding.rows);
    const flags = flagsOf(rows, this._dataset.rows);
    return (row) => flags[row] === 1;
  }

  _status(node) {
    const { statuses } = this._dataset;
    const wanted = new Set(node.choices);
    return (row) => {
      if (statuses[row] === FAILED) return wanted.has("failed");
      if (this._table.isRejected[row]) return wanted.has("rejected");
      return wanted.has("captioned") || (wanted.has("scored") && statuses[row] === SCORED);
    };
  }

  _is(node) {
    const tests = node.choices.map((choice) => this._state(choice));
    return (row) => tests.some((test) => test(row));
  }

  _state(choice) {
    const { isEdited, isMoved, current } = this._table;
    const hasCaption = (row) => this._dataset.statuses[row] !== FAILED;
    if (choice === "edited") return (row) => isEdited[row] === 1;
    if (choice === "unedited") return (row) => isEdited[row] === 0;
    if (choice === "moved") return (row) => isMoved[row] === 1 && this._table.counts(row);
    if (choice === "uncertain") return (row) => this._doubt(row) !== null;
    if (choice === "empty") return (row) => hasCaption(row) && current.lengths[row] === 0;
    if (choice === "fixed") return (row) => hasCaption(row) && !this._table.slides(row);
    if (choice === "selected") return (row) => this._selected[row] === 1;
    const flags = flagsOf(this._copies(), this._dataset.rows);
    return (row) => flags[row] === 1;
  }

  _copies() {
    const found = this._dataset.findings.filter(({ rule }) => COPY_RULES.includes(rule)).flatMap(({ rows }) => rows);
    return [...found, ...this._dataset.twins.keys()];
  }
}

/** The expression for a folded word: `*` is any text, `?` any character, `\*` and `\?` the characters themselves. */
function wildcardPattern(key) {
  const source = key.replace(/\\[*?]|[*?]|[\\^$.+()|[\]{}/-]/g, (found) => {
    if (found === "*") return ".*";
    return found === "?" ? "." : found.length === 2 ? found : `\\${found}`;
  });
  return new RegExp(`^${source}$`, "su");
}

/** Whether a text contains the words, in upper or lower case; with `*` or `?` whether they are all of it. */
function containing(words) {
  const key = casefolded(words);
  if (/[*?]/.test(key)) {
    const pattern = wildcardPattern(key);
    return (text) => pattern.test(casefolded(text));
  }
  return (text) => casefolded(text).includes(key);
}
