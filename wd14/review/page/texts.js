// The table of all texts that stand between separators: each has an id, so that captions are lists of numbers.

class TextTable {
  /**
   * @param {string[]} strings the texts of the page's data; more come as captions are edited
   * @param {string} separator of the captions
   * @param {boolean} hasSentences whether captions may end in sentences, which no tag is put behind
   */
  constructor(strings, separator, hasSentences) {
    this.separator = separator;
    this.strings = [];
    this.folds = []; // per text: the number of its folded spelling
    this.isClean = []; // per text: whether it is one part again when the caption is cut at the separator
    this._bare = bareSeparator(separator);
    this._hasSentences = hasSentences;
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

  /** The id of a text, or -1. */
  find(text) {
    return this._ids.get(text) ?? -1;
  }

  /** The number of a tag's folded spelling, or -1 where no text is spelled so. */
  foldOf(text) {
    return this._foldNumbers.get(folded(text)) ?? -1;
  }

  /** The ids of a caption's parts. */
  idsOf(text) {
    return splitParts(text, this.separator).map((part) => this.id(part));
  }

  /** The caption of parts. */
  join(ids) {
    return Array.from(ids, (id) => this.strings[id]).join(this.separator);
  }

  _add(text) {
    const id = this.strings.length;
    const key = folded(text);
    let fold = this._foldNumbers.get(key);
    if (fold === undefined) {
      fold = this.foldNames.length;
      this._foldNumbers.set(key, fold);
      this.foldNames.push(key);
    }
    this.strings.push(text);
    this.folds.push(fold);
    this.isClean.push(this._isCleanText(text));
    if (!this._ids.has(text)) this._ids.set(text, id);
    return id;
  }

  _isCleanText(text) {
    if (text === "" || this._bare === "" || stripped(text) !== text) return false;
    if (this._hasSentences && /\.\s+[A-Z]/.test(text)) return false;
    // A separator of several characters (`--`) could be cut elsewhere beside a text that has some of them.
    return !Array.from(this._bare).some((character) => text.includes(character));
  }
}
