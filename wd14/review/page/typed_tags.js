// What is written for a tag that a person typed, which parts of a caption it means, and where it belongs.

const LAST_RANK = 1e9; // in the page's data, of what has no place of its own

class TypedTags {
  /** @param {Dataset} dataset */
  constructor(dataset) {
    const { data, texts, vocabulary } = dataset;
    this._table = texts;
    this._written = vocabulary.texts;
    this._names = vocabulary.names;
    this._ranks = data.ranks ?? null;
    this.hasRanks = this._ranks !== null && this._ranks.length > 0;
    this._elsewhere = data.general_rank ?? LAST_RANK;
    this._rankOf = new Map();
    this._spellings = null; // made when they are first needed
  }

  get _known() {
    if (this._spellings === null) {
      const users = new Map();
      const withOthers = new Map(); // by the first text of a tag all of them; of tags written alike, the first one's
      for (const ids of this._written) {
        for (const id of ids) users.set(id, (users.get(id) ?? 0) + 1);
        if (ids.length && !withOthers.has(ids[0])) withOthers.set(ids[0], ids);
      }
      const written = Array.from(users.keys()).sort((one, other) => one - other);
      this._spellings = {
        users,
        withOthers,
        byText: new Spellings(written.map((id) => [this._table.strings[id], id])),
        byName: new Spellings(this._names.map((name, tag) => [name, tag])),
      };
    }
    return this._spellings;
  }

  /**
   * The texts of the tag that is written so; else of the tag of this name; else what was typed. A tag is found by the
   * first of its texts; a text that is no tag's first stands for itself.
   */
  texts(typed) {
    const { byText, withOthers } = this._known;
    const [text] = byText.find(typed);
    const ids = text === undefined ? this._named(typed) : withOthers.get(text) ?? [text];
    return ids.length ? ids.map((id) => this._table.strings[id]) : [stripped(typed)];
  }

  /**
   * The tag's name where `text` is what this one tag is written as, and the name means the same; else the text. An edit
   * that names the tag survives another style.
   */
  nameOf(text) {
    const { byText, users } = this._known;
    const [id] = byText.find(text);
    if (id === undefined || users.get(id) !== 1) return text;
    const name = this._names[this._tagOf(id)];
    const isSame = this.texts(name).join("\n") === this.texts(text).join("\n") && this.keys(name).has(folded(text));
    return isSame && folded(name) !== folded(text) ? name : text;
  }

  _tagOf(id) {
    return this._written.findIndex((ids) => ids.includes(id));
  }

  /**
   * The parts that it means, folded: itself, and what the tag of this name is written as. Of several texts those that
   * no other tag has: of `saber_(fate)` that is expanded, `saber` and not `fate`.
   */
  keys(typed) {
    const keys = new Set([folded(typed)]);
    const { byText, users } = this._known;
    if (byText.find(typed).length === 0) {
      const ids = this._named(typed);
      for (const id of ids) if (ids.length === 1 || users.get(id) === 1) keys.add(folded(this._table.strings[id]));
    }
    keys.delete("");
    return keys;
  }

  /** Whether the model has the tag. */
  isKnown(typed) {
    return this._known.byText.find(typed).length > 0 || this._known.byName.find(typed).length > 0;
  }

  /** The place of a part of a caption, lower = earlier. */
  rank(part) {
    let rank = this._rankOf.get(part);
    if (rank === undefined) {
      const found = this._known.byText.find(part);
      const ids = found.length ? found : this._named(part);
      rank = ids.length ? Math.min(...ids.map((id) => this._ranks[id] ?? LAST_RANK)) : this._elsewhere;
      this._rankOf.set(part, rank);
    }
    return rank;
  }

  _named(typed) {
    const [tag] = this._known.byName.find(typed);
    return tag === undefined ? [] : this._written[tag];
  }
}
