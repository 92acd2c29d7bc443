// What a person's edits make of a caption, as wd14/caption/editing.py: the same edits give the same captions there.
//
// A caption is cut at its separators; a part is compared by its folded spelling, and what is not touched keeps every
// character. `Editor.text` works on any text. `Editor.ids` does the same on the ids of a caption whose parts are all
// clean (TextTable.isClean), and is many times as fast.

const NOTHING = [];

class Editor {
  /**
   * @param {Dataset} dataset
   * @param {TypedTags} typed
   */
  constructor(dataset, typed) {
    this._texts = dataset.texts;
    this._typed = typed;
    this._separator = dataset.separator;
    this._bare = bareSeparator(dataset.separator);
    const at = this._bare === "" ? 0 : this._separator.indexOf(this._bare);
    this._before = this._separator.slice(0, at);
    this._behind = this._separator.slice(at + this._bare.length);
    this._openers = new Set(dataset.triggers.flatMap((word) => splitParts(word, this._separator)).map(folded));
  }

  /** The edit of a log entry, with what follows from the vocabulary worked out once for all pictures. */
  compiled(entry) {
    const { op } = entry;
    const edit = { op, entry, caption: entry.caption ?? "", tag: entry.tag, added: null, newTexts: [] };
    edit.keys = entry.tag ? this._typed.keys(entry.tag) : new Set();
    edit.folds = this._foldsOf(edit.keys);
    // Of the parts that the edit is about; where tokens are limited, they stay.
    edit.named = new Set([...edit.folds, ...(entry.with ? this._foldsOf(this._typed.keys(entry.with)) : [])]);
    if (op === "add") edit.added = entry.tag;
    if (op === "replace") edit.added = entry.with;
    if (edit.added !== null && stripped(edit.added) !== "") {
      edit.addedKey = folded(edit.added);
      edit.addedFold = this._texts.foldNumber(edit.addedKey);
      edit.newTexts = this._typed.texts(edit.added);
    }
    edit.newIds = edit.newTexts.map((text) => this._texts.id(text));
    edit.isClean = op !== "set" && edit.newIds.every((id) => this._texts.isClean[id]);
    return edit;
  }

  _foldsOf(keys) {
    return Array.from(keys, (key) => this._texts.foldNumber(key));
  }

  /** A caption after an edit; `reject` does nothing to it. */
  text(caption, edit) {
    if (edit.op === "set") return edit.caption;
    if (edit.op === "add") return this._add(caption, edit);
    return edit.op === "reject" ? caption : this._replace(caption, edit);
  }

  // Texts are cut one after the other: one that holds a separator changes what the next one finds.
  _add(caption, edit) {
    let text = caption;
    for (const added of this._missing(edit, this._read(caption).keys())) {
      const parts = this._read(text);
      this._insert(parts.head, added);
      text = parts.text();
    }
    return text;
  }

  _read(text) {
    return this._texts.cut(text);
  }

  _missing(edit, there) {
    if (edit.newTexts.length === 0 || there.has(edit.addedKey)) return [];
    return edit.newTexts.filter((text) => !there.has(folded(text)));
  }

  _insert(head, text) {
    const filled = [...head.keys()].filter((place) => stripped(head[place]) !== "");
    if (filled.length === 0) {
      head.splice(0, head.length, text);
      return;
    }
    const place = this._place(filled, (number) => stripped(head[number]), text);
    if (place === 0) {
      head[0] = this._behind + head[0];
      head.unshift(text + this._before);
    } else if (place === head.length) {
      head[head.length - 1] += this._before;
      head.push(this._behind + text);
    } else head.splice(place, 0, this._behind + text + this._before);
  }

  // Behind the last part that is not to come later, and behind the trigger words that the caption begins with.
  _place(filled, partAt, text) {
    if (!this._typed.hasRanks) return filled[filled.length - 1] + 1;
    const rank = this._typed.rank(text);
    let place = 0;
    let isOpening = true;
    for (const number of filled) {
      const part = partAt(number);
      isOpening = isOpening && this._openers.has(folded(part));
      if (isOpening || this._typed.rank(part) <= rank) place = number + 1;
    }
    return place;
  }

  _replace(caption, edit) {
    const parts = this._read(caption);
    const there = parts.keys();
    if (![...edit.keys].some((key) => there.has(key))) return caption;
    for (const key of edit.keys) there.delete(key);
    let added = this._missing(edit, there);
    for (const side of ["head", "tail"]) {
      if (!parts[side].some((part) => edit.keys.has(folded(part)))) continue;
      parts[side] = this._replaced(parts[side], edit.keys, added);
      added = [];
    }
    return parts.text();
  }

  _replaced(side, keys, added) {
    const rest = [];
    let isDone = added.length === 0;
    for (const part of side) {
      if (!keys.has(folded(part))) rest.push(part);
      else if (!isDone) {
        const word = stripped(part);
        const begin = part.indexOf(word);
        rest.push(part.slice(0, begin) + added.join(this._separator) + part.slice(begin + word.length));
        isDone = true;
      }
    }
    if (!rest.some((part) => stripped(part) !== "")) return [];
    if (rest.length < side.length) {
      rest[0] = rest[0].replace(BLANKS_BEFORE, "");
      rest[rest.length - 1] = rest[rest.length - 1].replace(BLANKS_BEHIND, "");
    }
    return rest;
  }

  /**
   * Whether an edit finds something to do in a caption of these texts.
   *
   * @param {ArrayLike<number>} ids all of them clean; of others the answer may be a wrong yes
   * @param edit one that `isClean`
   */
  touches(ids, edit) {
    if (edit.op === "reject") return false;
    if (!this._texts.areClean(ids)) return true;
    const { folds } = this._texts;
    if (edit.op === "add") return this._missingIds(ids, edit).length > 0;
    for (let i = 0; i < ids.length; i++) if (edit.folds.includes(folds[ids[i]])) return true;
    return false;
  }

  /**
   * The same edit on the ids of a caption's parts, all of them clean, changed in place.
   *
   * @param {number[]} ids
   * @param edit one that `isClean`
   */
  ids(ids, edit) {
    if (edit.op === "add") {
      for (const id of this._missingIds(ids, edit)) this._insertId(ids, id);
    } else if (edit.op !== "reject") this._replaceIds(ids, edit);
  }

  _missingIds(ids, edit) {
    if (edit.newIds.length === 0) return edit.newIds;
    const { folds } = this._texts;
    if (this._hasFold(ids, edit.addedFold)) return NOTHING;
    return edit.newIds.filter((id) => !this._hasFold(ids, folds[id]));
  }

  _hasFold(ids, fold) {
    const { folds } = this._texts;
    for (let i = 0; i < ids.length; i++) if (folds[ids[i]] === fold) return true;
    return false;
  }

  _insertId(ids, id) {
    if (!this._typed.hasRanks) ids.push(id);
    else {
      const { strings } = this._texts;
      ids.splice(this._place(ids.keys(), (number) => strings[ids[number]], strings[id]), 0, id);
    }
  }

  _replaceIds(ids, edit) {
    const { folds } = this._texts;
    const at = ids.findIndex((id) => edit.folds.includes(folds[id]));
    if (at < 0) return;
    let length = at;
    for (let i = at; i < ids.length; i++) if (!edit.folds.includes(folds[ids[i]])) ids[length++] = ids[i];
    ids.length = length;
    ids.splice(at, 0, ...this._missingIds(ids, edit));
  }
}
