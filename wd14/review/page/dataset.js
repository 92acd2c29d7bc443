// The page's data, decoded: what is known of each picture, and never changes while the page is open.

const STATUSES = ["captioned", "scored", "failed", "rejected"];
const SCORED = 1; // captioned from stored scores
const FAILED = 2;
const REJECTED = 3;

/** The bytes of a base64 text. */
function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** An array of 16-bit (`wide`: 32-bit) numbers from base64. */
function numbersOf(base64, wide) {
  const { buffer } = bytesOf(base64);
  return wide ? new Uint32Array(buffer) : new Uint16Array(buffer);
}

/** One picture after the other, rows counted from 0. */
class Dataset {
  /** @param {object} data the page's data, parsed */
  constructor(data) {
    const known = data.dataset;
    this.data = data;
    this.rows = data.status.length;
    this.title = known.name;
    this.id = known.id;
    this.about = known;
    this.separator = data.separator;
    this.triggers = data.triggers;
    this.vocabulary = data.vocabulary;
    this.categories = data.vocabulary.category_names;
    this.texts = new TextTable(data.texts, data.separator, (data.general_rank ?? null) !== null);
    this.statuses = Uint8Array.from(data.status);
    this.base = new RowLists(numbersOf(data.captions.ids, true), numbersOf(data.captions.ends, true));
    this.rawCaptions = new Map(Object.entries(data.raw ?? {}).map(([row, text]) => [Number(row), text]));
    this.written = new Map(Object.entries(data.written ?? {}).map(([row, text]) => [Number(row), text]));
    this.sizes = data.sizes ? numbersOf(data.sizes) : new Uint16Array(2 * this.rows);
    this._shas = bytesOf(data.sha);
    this._shaView = new DataView(this._shas.buffer);
    this._missingThumbnails = new Set(data.thumbnails?.missing ?? []);
    for (const [row, text] of this.rawCaptions) this._cut(row, text);
    for (let row = 0; row < this.rows; row++) {
      const ids = this.base.get(row);
      if (!this.rawCaptions.has(row) && !this.texts.areClean(ids)) this._cut(row, this.texts.join(ids));
    }
    this._decodeCandidates(data.candidates);
  }

  // A caption that is no plain list of texts: its parts are found as after an edit.
  _cut(row, text) {
    const ids = this.texts.idsOf(text);
    this.base.set(row, ids, ids.length);
    if (this.texts.join(ids) === text) this.rawCaptions.delete(row);
    else this.rawCaptions.set(row, text);
  }

  _decodeCandidates(candidates) {
    this.hasCandidates = candidates !== null && candidates !== undefined;
    this.floor = this.hasCandidates ? candidates.floor : 0;
    this.candidateTags = this.hasCandidates ? numbersOf(candidates.tags, candidates.wide) : new Uint16Array(0);
    this.candidateScores = this.hasCandidates ? numbersOf(candidates.scores) : new Uint16Array(0);
    const ends = this.hasCandidates ? numbersOf(candidates.ends, true) : new Uint32Array(this.rows);
    this.candidateEnds = new Uint32Array(this.rows + 1); // shifted: row's candidates are [ends[row], ends[row + 1])
    this.candidateEnds.set(ends, 1);
  }

  get plan() {
    return this.data.plan ?? null;
  }

  /** As `evaluation/kept.py` gives it; null where none is kept with the dataset. */
  get evaluation() {
    const { evaluation } = this.data;
    return evaluation && Object.keys(evaluation.categories).length > 0 ? evaluation : null;
  }

  get findings() {
    return this.data.findings ?? [];
  }

  /** Why captions cannot be worked out from scores, or null where they can. */
  get rulesMissing() {
    return this.data.rules ? null : this.data.rules_missing ?? "There are no scores for these pictures.";
  }

  /** The category of a caption's text; null for what is no tag of the model. */
  categoryOf(text) {
    this._categoryOfFold ??= this._categories();
    return this._categoryOfFold.get(folded(text)) ?? null;
  }

  _categories() {
    const found = new Map();
    const { names, categories, texts } = this.vocabulary;
    const note = (key, category) => found.has(key) || found.set(key, category);
    for (let tag = 0; tag < names.length; tag++) {
      for (const id of texts[tag]) note(this.texts.foldNames[this.texts.folds[id]], this.categories[categories[tag]]);
    }
    for (let tag = 0; tag < names.length; tag++) note(folded(names[tag]), this.categories[categories[tag]]);
    return found;
  }

  /** The category of the model's tag of this name; null where there is none. */
  categoryOfTag(name) {
    this._categoryOfName ??= new Map(this.vocabulary.names.map((own, tag) => [own, this.vocabulary.categories[tag]]));
    return this.categories[this._categoryOfName.get(name)] ?? null;
  }

  /** Of each of the model's tags all spellings, folded: its name, and what it is written as. */
  get tagSpellings() {
    const { names, texts } = this.vocabulary;
    this._tagSpellings ??= names.map((name, tag) => {
      return [folded(name), ...texts[tag].map((id) => this.texts.foldNames[this.texts.folds[id]])];
    });
    return this._tagSpellings;
  }

  /** How many scores of a category fall into each of equal parts of 0..1. */
  scoreHistogram(category, bins) {
    const counts = new Uint32Array(bins);
    const wanted = this.categories.indexOf(category);
    const { categories } = this.vocabulary;
    for (let at = 0; at < this.candidateTags.length; at++) {
      if (categories[this.candidateTags[at]] !== wanted) continue;
      counts[Math.min(bins - 1, Math.floor((this.candidateScores[at] * bins) / 10000))] += 1;
    }
    return counts;
  }

  /** Path of the picture in the dataset, or null where it has none. */
  name(row) {
    return this.data.names[row];
  }

  /** Where the picture came from, for a person. */
  source(row) {
    return this.data.sources[row] ?? this.data.names[row] ?? "";
  }

  /** "captioned", "scored" (from stored scores), "failed" or "rejected", as the run left it. */
  status(row) {
    return STATUSES[this.statuses[row]];
  }

  /** Why the picture failed, or "". */
  reason(row) {
    return this.data.reasons?.[row] ?? "";
  }

  /** Remarks on the picture. */
  notes(row) {
    return this.data.notes?.[row] ?? [];
  }

  /** The caption that the picture had before the run, or null. */
  before(row) {
    return this.data.before?.[row] ?? null;
  }

  /** Width and height in pixels, or null where they are not known. */
  size(row) {
    const [width, height] = this.sizes.subarray(2 * row, 2 * row + 2);
    return width && height ? { width, height } : null;
  }

  /** Address of the picture, or null. */
  picture(row) {
    const name = this.data.names[row];
    const { folder, pictures } = this.data.dataset;
    if (name === null || name === undefined) return null;
    if (typeof pictures === "string") return pictures.replace("{row}", String(row)); // from a server
    return folder === "" ? null : folder + encodedPath(name);
  }

  /** Address of the thumbnail, or null. */
  thumbnail(row) {
    const { thumbnails } = this.data;
    if (!thumbnails) return null;
    if (thumbnails.inline) {
      return thumbnails.inline[row] ? `data:image/webp;base64,${thumbnails.inline[row]}` : null;
    }
    return this._missingThumbnails.has(row) ? null : thumbnails.pattern.replace("{row}", String(row));
  }

  /** The picture's sha256, 64 hex digits; "" where it could not be read. */
  sha(row) {
    this._shaTexts ??= new Array(this.rows);
    return (this._shaTexts[row] ??= this._shaText(row));
  }

  _shaText(row) {
    const bytes = this._shas.subarray(32 * row, 32 * row + 32);
    if (bytes.every((byte) => byte === 0)) return "";
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  /** For each row whose picture another row has too, all rows with it. */
  get twins() {
    if (this._twins === undefined) {
      const alike = [...this._rowsBy((row) => this._shortSha(row)).values()].filter((rows) => rows.length > 1);
      const groups = alike.flatMap((rows) => [...this._rowsBy((row) => this.sha(row), rows).values()]);
      const copies = groups.filter((rows) => rows.length > 1);
      this._twins = new Map(copies.flatMap((rows) => rows.map((row) => [row, rows])));
    }
    return this._twins;
  }

  // 53 bits of the sha256, as a number; "" where the picture could not be read.
  _shortSha(row) {
    const at = 32 * row;
    const number = this._shaView.getUint32(at) + (this._shaView.getUint32(at + 4) & 0x1fffff) * 2 ** 32;
    return number === 0 ? "" : number;
  }

  _rowsBy(keyOf, rows = Array.from({ length: this.rows }, (_, row) => row)) {
    const found = new Map();
    for (const row of rows) {
      const key = keyOf(row);
      if (key === "") continue;
      const same = found.get(key);
      if (same === undefined) found.set(key, [row]);
      else same.push(row);
    }
    return found;
  }

  /** Rows with this picture, by its sha256 in hex. */
  rowsOf(sha) {
    this._rowsBySha ??= this._rowsBy((row) => this.sha(row));
    return this._rowsBySha.get(sha) ?? [];
  }

  /** Flags, by the number of the folded spelling, of the tags in the captions that the run wrote. */
  usedFolds() {
    const flags = new Uint8Array(this.texts.foldNames.length);
    for (let row = 0; row < this.rows; row++) for (const id of this.base.get(row)) flags[this.texts.folds[id]] = 1;
    return flags;
  }

  /** All tags that were scored, best first: [{tag, name, text, category, score}]. */
  candidates(row) {
    const found = [];
    for (let at = this.candidateEnds[row]; at < this.candidateEnds[row + 1]; at++) {
      found.push(this._candidate(this.candidateTags[at], this.candidateScores[at] / 10000));
    }
    return found;
  }

  _candidate(tag, score) {
    const { names, categories, texts } = this.vocabulary;
    const text = texts[tag].map((id) => this.texts.strings[id]).join(this.separator) || names[tag];
    return { tag, name: names[tag], text, category: this.categories[categories[tag]], score };
  }
}

/** A path as part of an address: `a b#1.png` -> `a%20b%231.png`. */
function encodedPath(path) {
  return path.split("/").map((part) => encodeURIComponent(part.toWellFormed?.() ?? part)).join("/");
}
