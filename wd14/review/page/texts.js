// The table of all texts that stand between separators: each has an id, so that captions are lists of numbers.

const CAPITAL_BEHIND_FULL_STOP = new RegExp(`\\.[${BLANKS}]+[A-Z]`);

class TextTable {
  /**
   * @param {string[]} strings the texts of the page's data; more come as captions are edited
   * @param {string} separator of the captions
   * @param {boolean} hasSentences whether captions may end in sentences, which no tag is put behind
   */
  constructor(strings, separator, hasSentences) {
    this.separator = separator;
    this.strings = [];
    this.folds = new Uint32Array(2 * strings.length + 1024); // per text: the number of its folded spelling
    // Per text: 1 where it is one part again when the caption is cut at the separator.
    this.isClean = new Uint8Array(this.folds.length);
    this._bare = bareSeparator(separator);
    this.hasSentences = hasSentences;
    // A full stop that a separator brings beside a capital would begin the sentences.
    this._neverClean = this._bare === "" || (hasSentences && (stripped(separator) === "" || separator.includes(".")));
    this._ids = new Map();
    this._foldNumbers = new Map();
    this.foldNames = []; // per number of a folded spelling: that spelling
    for (const text of strings) this._add(text);
  }

  get size() {
    return this.strings.length;
  }

  /** The id of a text, a new one where it is not known. */
  id(text) {
    return this._ids.get(text) ?? this._add(text);
  }

  /** The number of a folded spelling, or -1 where no text is spelled so. */
  findFold(key) {
    return this._foldNumbers.get(key) ?? -1;
  }

  /** The number of a folded spelling, a new one where no text has it yet. */
  foldNumber(key) {
    let number = this._foldNumbers.get(key);
    if (number === undefined) {
      number = this.foldNames.length;
      this._foldNumbers.set(key, number);
      this.foldNames.push(key);
    }
    return number;
  }

  /** A caption, cut at its separators. */
  cut(text) {
    return new CaptionParts(text, this._bare, this.hasSentences);
  }

  /** The ids of a caption's parts. */
  idsOf(text) {
    return this.cut(text).words().map((part) => this.id(part));
  }

  /** The caption that consists of these texts. */
  join(ids) {
    return Array.from(ids, (id) => this.strings[id]).join(this.separator);
  }

  /** Whether a caption of these texts is cut into the same texts again. */
  areClean(ids) {
    const { isClean } = this;
    for (let i = 0; i < ids.length; i++) if (isClean[ids[i]] === 0) return false;
    return true;
  }

  _add(text) {
    const id = this.strings.length;
    if (id === this.folds.length) {
      this.folds = enlarged(this.folds);
      this.isClean = enlarged(this.isClean);
    }
    this.strings.push(text);
    this.folds[id] = this.foldNumber(folded(text));
    this.isClean[id] = this._isCleanText(text) ? 1 : 0;
    if (!this._ids.has(text)) this._ids.set(text, id);
    return id;
  }

  _isCleanText(text) {
    if (this._neverClean || text === "" || stripped(text) !== text) return false;
    if (this.hasSentences && CAPITAL_BEHIND_FULL_STOP.test(text)) return false;
    // A separator of several characters (`--`) could be cut elsewhere beside a text that has some of them.
    return !Array.from(this._bare).some((character) => text.includes(character));
  }
}

/** A copy of an array of numbers with twice its room. */
function enlarged(numbers) {
  const larger = new numbers.constructor(2 * numbers.length);
  larger.set(numbers);
  return larger;
}
