// A caption cut at its separators, into tags and, behind them, sentences. As wd14/caption/editing.py cuts it.

// What is between the tags and the sentences of a caption in a style with slots.
const JOINT = new RegExp(`\\.[${BLANKS}]+(?=[A-Z])`, "g");
// Before a full stop that ends nothing: `mr. Squeaks`.
const ABBREVIATION = new RegExp(`(?:^|[${BLANKS}])(?:mrs?|ms|dr|st|prof|vs|no|vol|jr|sr)$`, "iu");
const LONGEST_ABBREVIATION = 5; // characters, with the blank before it

/** Every character of the caption is in here. `tail` are its sentences. */
class CaptionParts {
  /**
   * @param {string} text
   * @param {string} bare the separator without its blanks
   * @param {boolean} hasSentences whether sentences may be behind the tags
   */
  constructor(text, bare, hasSentences) {
    const found = hasSentences ? findJoint(text) : null;
    const end = found === null ? text.length : found.index;
    this._bare = bare;
    this.head = cutAt(text.slice(0, end), bare);
    this.joint = found === null ? "" : found[0];
    this.tail = cutAt(text.slice(end + this.joint.length), bare);
  }

  /** The folded spellings of all parts. */
  keys() {
    return new Set([...this.head, ...this.tail].map(folded));
  }

  /** The parts without the blanks around them; empty ones are left out. */
  words() {
    return [...this.head, ...this.tail].map(stripped).filter((part) => part !== "");
  }

  text() {
    const head = this.head.join(this._bare);
    const tail = this.tail.join(this._bare);
    return head && tail ? head + this.joint + tail : head || tail;
  }
}

function findJoint(text) {
  for (const found of text.matchAll(JOINT)) {
    // Characters are counted as Python does: an emoji is one.
    const before = Array.from(text.slice(0, found.index)).slice(-LONGEST_ABBREVIATION).join("");
    if (!ABBREVIATION.test(before)) return found;
  }
  return null;
}

function cutAt(text, bare) {
  if (text === "") return [];
  return bare === "" ? [text] : text.split(bare);
}
