// What a person's edits do to a caption, as wd14/caption/editing.py: the same edits give the same captions there.
//
// A caption is cut at the separator; a part is compared by its folded spelling, and what is not touched keeps every
// character. `Editor.text` works on any text. `Editor.ids` does the same on the ids of a caption whose parts are all
// clean (see TextTable.isClean), and is many times as fast.

const GENERAL_LAST = 1e9; // the rank of what has no place of its own
const SENTENCES = /\.(?=\s+[A-Z])/;

class Editor {
  /** @param {Dataset} dataset */
  constructor(dataset) {
    const { data, texts, vocabulary } = dataset;
    this._texts = texts;
    this._separator = dataset.separator;
    this._bare = bareSeparator(dataset.separator);
    this._triggers = new Set(dataset.triggers.map(folded));
    this._ranks = data.ranks ?? null;
    this._unknownRank = data.general_rank ?? GENERAL_LAST;
    this._hasSentences = data.general_rank !== null && data.general_rank !== undefined;
    this._written = vocabulary.texts;
    this._known = null; // Spellings, made when they are first needed
    this._rankOfFold = new Map();
  }

  /** The edit of a log entry, with what follows from the vocabulary worked out once for all pictures. */
  compiled(entry) {
    const edit = { op: entry.op, caption: entry.caption ?? "" };
    if (entry.tag !== undefined) edit.key = folded(entry.tag);
    const replacement = entry.op === "add" ? entry.tag : entry.op === "replace" ? entry.with : undefined;
    if (replacement !== undefined) {
      edit.texts = this.resolve(replacement);
      edit.ids = edit.texts.map((text) => this._texts.id(text));
      edit.isClean = edit.ids.every((id) => this._texts.isClean[id]);
      edit.rank = Math.min(GENERAL_LAST, ...edit.texts.map((text) => this._rank(text)));
    }
    return edit;
  }

  /** The texts that are written for a tag as a person typed it: the model's own, else what was typed. */
  resolve(typed) {
    const text = stripped(typed);
    if (text === "") return [];
    this._known ??= this._spellings();
    const [written] = this._known.texts.find(text);
    if (written !== undefined) {
      const own = this._known.tagOfText.get(written);
      return own.map((id) => this._texts.strings[id]);
    }
    const [tag] = this._known.names.find(text);
    const ids = tag === undefined ? [] : this._written[tag];
    return ids.length ? ids.map((id) => this._texts.strings[id]) : [text];
  }

  _spellings() {
    const texts = [];
    const tagOfText = new Map();
    this._written.forEach((ids) => {
      for (const id of ids) {
        if (tagOfText.has(id)) continue;
        tagOfText.set(id, [id]);
        texts.push([this._texts.strings[id], id]);
      }
    });
    const { names } = this._texts.vocabulary ?? { names: [] };
    return { texts: new Spellings(texts), names: new Spellings(names.map((name, tag) => [name, tag])), tagOfText };
  }

  _rank(text) {
    if (this._ranks === null) return GENERAL_LAST;
    const key = folded(text);
    let rank = this._rankOfFold.get(key);
    if (rank === undefined) {
      this._known ??= this._spellings();
      const found = this._known.texts.find(text).map((id) => this._ranks[id]);
      rank = found.length ? Math.min(...found) : this._unknownRank;
      this._rankOfFold.set(key, rank);
    }
    return rank;
  }

  /** A caption after an edit. */
  text(caption, edit) {
    if (edit.op === "set") return edit.caption;
    if (edit.op === "reject") return caption;
    const [list, sentences] = this._cut(caption);
    const parts = [...list, ...sentences];
    const keys = parts.map(folded);
    if (edit.op === "remove") return this._without(parts, keys, edit.key, []);
    if (edit.op === "add") return this._with(list, sentences, keys, edit);
    const there = new Set(keys.filter((key) => key !== edit.key));
    return this._without(parts, keys, edit.key, edit.texts.filter((text) => !there.has(folded(text))));
  }

  _cut(caption) {
    const found = this._hasSentences ? SENTENCES.exec(caption) : null;
    if (found === null) return [rawParts(caption, this._separator), []];
    const head = rawParts(caption.slice(0, found.index + 1), this._separator);
    const rest = rawParts(caption.slice(found.index + 1), this._separator);
    return [head, rest];
  }

  _without(parts, keys, key, instead) {
    if (!keys.includes(key) || key === "") return parts.join(this._bare);
    const kept = [];
    let isDone = false;
    parts.forEach((part, i) => {
      if (keys[i] !== key) kept.push(part);
      else if (!isDone && instead.length) {
        isDone = true;
        kept.push(part.replace(stripped(part), () => instead.join(this._separator)));
      }
    });
    return stripped(kept.join(this._bare));
  }

  _with(list, sentences, keys, edit) {
    const caption = [...list, ...sentences].join(this._bare);
    const there = new Set(keys);
    const missing = edit.texts.filter((text) => !there.has(folded(text)));
    if (missing.length < edit.texts.length || missing.length === 0) return caption;
    const added = missing.join(this._separator);
    return caption === "" ? added : caption + this._separator + added;
  }

  /**
   * The same edit on the ids of a caption's parts, changed in place.
   *
   * @param {number[]} ids all of them clean
   * @returns {boolean} false where it cannot be done so, and `text` must
   */
  ids(ids, edit) {
    if (edit.op === "reject") return true;
    if (edit.op === "set" || edit.isClean === false) return false;
    const { folds } = this._texts;
    const fold = this._texts.foldOf(edit.key);
    if (edit.op === "remove") this._removeIds(ids, fold);
    else if (edit.op === "add") this._addIds(ids, edit);
    else return this._replaceIds(ids, fold, edit, folds);
    return true;
  }

  _removeIds(ids, fold) {
    const { folds } = this._texts;
    let length = 0;
    for (let i = 0; i < ids.length; i++) if (folds[ids[i]] !== fold) ids[length++] = ids[i];
    ids.length = length;
  }

  _addIds(ids, edit) {
    const { folds } = this._texts;
    for (const id of edit.ids) if (ids.some((other) => folds[other] === folds[id])) return;
    ids.push(...edit.ids);
  }

  _replaceIds(ids, fold, edit, folds) {
    const at = ids.findIndex((id) => folds[id] === fold);
    if (at < 0) return true;
    this._removeIds(ids, fold);
    const added = edit.ids.filter((id) => !ids.some((other) => folds[other] === folds[id]));
    ids.splice(at, 0, ...added);
    return true;
  }
}
