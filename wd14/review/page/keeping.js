// Keeps the edits in the browser's local storage, so that a reload loses nothing, and takes over what other tabs of the
// same dataset keep there. Entries are merged by their ids: nobody's are written over.

const KEPT_PREFIX = "wd14-captioner review ";

class Keeper {
  /**
   * @param {Review} review
   * @param {Ui} ui
   * @param {() => void} onKept called when `hasFailed` may have changed
   */
  constructor(review, ui, onKept) {
    Object.assign(this, { review, ui, onKept, key: KEPT_PREFIX + review.dataset.id, hasFailed: false });
    /** What the entries that came with the page are: another run's "run-0" is another edit. */
    this.given = new Map(review.entries.map((entry) => [entry.id, editText(entry)]));
    this.keep = settled(() => this.write(), 250);
  }

  /** Takes over what is kept, at the start; says how much that was. */
  restore() {
    const kept = this.read();
    if (!kept) return;
    const count = this.takeOver(kept);
    this.restoreThresholds(kept.thresholds || {});
    if (kept.saved && kept.saved === logText(this.review)) this.review.markSaved();
    if (count) this.ui.say(`Restored ${plural(count, "edit")} that this browser kept.`);
  }

  restoreThresholds(thresholds) {
    for (const [category, value] of Object.entries(thresholds)) {
      const isKnown = Object.hasOwn(this.review.runThresholds, category) && typeof value === "number";
      if (isKnown && this.review.thresholds[category] !== value) this.review.setThreshold(category, value);
    }
  }

  /** Merges kept entries. @returns {number} how many were new or changed */
  takeOver(kept) {
    const known = new Map(this.review.entries.map((entry) => [entry.id, entry]));
    const fresh = kept.entries.filter((entry) => {
      const given = this.given.get(entry.id);
      if (given !== undefined) return given === editText(entry) && entry.rev > known.get(entry.id).rev;
      if (entry.given) return false; // came with another run's page
      return !known.has(entry.id) || entry.rev > known.get(entry.id).rev;
    });
    if (fresh.length) this.review.merge(fresh);
    return fresh.length;
  }

  read() {
    let text;
    try {
      text = localStorage.getItem(this.key);
    } catch (error) {
      this.failed(error);
      return null;
    }
    // What this tab wrote itself has nothing new, and a long log takes long to look through.
    return text !== null && text === this.written ? { saved: this.saved, entries: [] } : this.parsed(text);
  }

  /** What is kept, checked: a text that is not ours counts as nothing. */
  parsed(text) {
    if (text === null) return null;
    try {
      const kept = JSON.parse(text);
      if (!Array.isArray(kept?.entries)) return null;
      const entries = kept.entries.flatMap((entry) => usableEntry(entry, this.review.rows));
      const lost = kept.entries.length - entries.length;
      if (lost) this.ui.say(`${plural(lost, "edit")} kept in this browser cannot be used here.`, { error: true });
      return { ...kept, entries };
    } catch (error) {
      this.ui.say(`What this browser kept of earlier edits cannot be read: ${error.message}`, { error: true });
      return null;
    }
  }

  /** Keeps what is there now, together with what another tab has kept meanwhile. */
  write() {
    const kept = this.read();
    if (kept) this.takeOver(kept);
    const { review } = this;
    if (!review.entries.length && !kept && !review.movedThresholds) return;
    const saved = review.unsaved ? kept?.saved : logText(review);
    const content = {
      version: 1,
      thresholds: review.movedThresholds || {},
      saved,
      entries: review.entries.map(packedEntry),
    };
    try {
      const text = JSON.stringify(content);
      localStorage.setItem(this.key, text);
      Object.assign(this, { written: text, saved });
      this.hasFailed = false;
    } catch (error) {
      this.failed(error);
    }
    this.onKept();
  }

  failed(error) {
    if (this.hasFailed) return;
    this.hasFailed = true;
    const isFull = error.name === "QuotaExceededError" || error.name === "NS_ERROR_DOM_QUOTA_REACHED";
    const why = isFull ? "its storage for pages is full" : error.message;
    this.ui.say(`This browser does not keep the edits (${why}): a reload would lose them. Save them to a file.`, {
      error: true,
    });
  }

  /** Listens to changes here and in other tabs; keeps once more when the page goes. */
  listen() {
    this.review.onChange((what) => {
      if (what.has("log") || what.has("thresholds")) this.keep();
    });
    addEventListener("storage", (event) => {
      if (event.key !== this.key || event.newValue === null) return;
      const kept = this.parsed(event.newValue);
      const count = kept ? this.takeOver(kept) : 0;
      if (count) this.ui.say(`${plural(count, "edit")} from another tab.`);
    });
    addEventListener("pagehide", () => this.keep.now());
    addEventListener("beforeunload", (event) => {
      this.keep.now();
      if (this.review.unsaved) event.preventDefault();
    });
  }
}

/** What an edit is, without when it was made: equal edits have equal texts. */
function editText({ op, tag, with: other, caption, keep, rows }) {
  return JSON.stringify([op, tag, other, caption, keep, rows]);
}

/** The state of the log: which entries count. */
function logText(review) {
  return review.entries
    .filter((entry) => !entry.undone)
    .map((entry) => entry.id)
    .sort()
    .join(" ");
}

/** An entry with its rows as text. */
function packedEntry(entry) {
  return entry.rows === "all" ? entry : { ...entry, rows: packedRows(entry.rows) };
}

function unpackedEntry(entry) {
  return entry.rows === "all" ? entry : { ...entry, rows: unpackedRows(entry.rows) };
}

/** The rows of an entry never change: each list is packed once. */
const PACKED_ROWS = new WeakMap();

function packedRows(rows) {
  if (!PACKED_ROWS.has(rows)) {
    const [ranges, bits] = [rangesText(rows), bitsText(rows)];
    PACKED_ROWS.set(rows, bits.length < ranges.length ? bits : ranges);
  }
  return PACKED_ROWS.get(rows);
}

/** Rows as "0-299,305". */
function rangesText(rows) {
  const ranges = [];
  for (const row of rows) {
    const last = ranges.at(-1);
    if (last && last[1] + 1 === row) last[1] = row;
    else ranges.push([row, row]);
  }
  return ranges.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join(",");
}

/** Rows as a bit each, in base64: of many scattered rows a tenth of their numbers. */
function bitsText(rows) {
  const last = rows.reduce((highest, row) => Math.max(highest, row), -1);
  const bytes = new Uint8Array(last / 8 + 1);
  for (const row of rows) bytes[row >> 3] |= 1 << (row & 7);
  return BITS + btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

function unpackedRows(text) {
  if (text === "") return [];
  if (text.startsWith(BITS)) {
    const rows = [];
    bytesOf(text.slice(BITS.length)).forEach((byte, at) => {
      for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) rows.push(8 * at + bit);
    });
    return rows;
  }
  return text.split(",").flatMap((range) => {
    const [first, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, step) => first + step);
  });
}

const RANGES = /^(\d+(-\d+)?(,\d+(-\d+)?)*)?$/;
const BITS = "bits ";
const BITS_TEXT = /^bits ([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** A kept value as an entry of the log, in a list; an empty one where this dataset cannot have it. */
function usableEntry(entry, rows) {
  if (typeof entry?.rows !== "string") return [];
  // In order, as they were packed: else a short text could stand for more rows than fit into memory.
  const isInOrder = (row, at, all) => row < rows && (at === 0 || row >= all[at - 1]);
  const isFit = (text) => RANGES.test(text) && (text.match(/\d+/g) || []).map(Number).every(isInOrder);
  if (entry.rows !== "all" && !BITS_TEXT.test(entry.rows) && !isFit(entry.rows)) return [];
  try {
    return [checkEntry(unpackedEntry(entry), rows)];
  } catch (error) {
    if (error instanceof TypeError) return [];
    throw error;
  }
}
