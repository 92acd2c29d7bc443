// An edit that somebody means to do: what is wrong with it, how many pictures would change, and doing it. What a run
// would refuse is said here, where it is typed; review_edits.js has the limits.

/** Each edit of all pictures costs every picture a look; a run takes so many of them. */
const MOST_EDITS_OF_ALL = 1000;

class IntendedEdit {
  /**
   * @param {Review} review
   * @param {string} op
   * @param {object} args {tag, with, caption}; several tags to add or remove stand between separators
   * @param {number[]|"all"} rows
   */
  constructor(review, op, args, rows) {
    Object.assign(this, { review, op, rows });
    const isSeveral = op === "add" || op === "remove";
    this.edits = isSeveral ? typedTags(review, args.tag).map((tag) => ({ ...args, tag })) : [args];
    /** What is wrong, as a sentence; null: nothing. */
    this.fault = this.findFault();
    this.counts = this.fault ? [] : this.edits.map((edit) => review.count(op, edit, rows));
    /** Pictures that would change; of several tags, by the one that changes most. */
    this.count = Math.max(0, ...this.counts);
  }

  findFault() {
    if (!this.edits.length) return "Type a tag.";
    if (this.rows === "all" && this.review.entries.filter(isOfAll).length + this.edits.length > MOST_EDITS_OF_ALL) {
      return `There are ${grouped(MOST_EDITS_OF_ALL)} edits of all pictures already: a run takes no more of them.`;
    }
    return this.edits.map((edit) => editFault(this.review, this.op, edit)).find(Boolean) ?? null;
  }

  /** `12 pictures`, or with several tags `smile: 12, grin: 3 pictures`. */
  get countWords() {
    if (this.edits.length === 1) return plural(this.count, "picture");
    const each = this.edits.map(({ tag }, place) => `${tag}: ${grouped(this.counts[place])}`);
    return `${each.join(", ")} ${this.count === 1 ? "picture" : "pictures"}`;
  }

  /** Whether copies of the named pictures change with them. */
  get hasCopies() {
    return this.rows !== "all" && this.count > this.rows.length;
  }

  get title() {
    return this.edits.length === 1 ? editWords({ op: this.op, ...this.edits[0] }) : this.action;
  }

  /** What a dialog asks: a title, and a sentence. */
  get question() {
    const [edit] = this.edits;
    if (this.edits.length > 1) return { title: `${this.action}?`, text: `${this.countWords} will change.` };
    return { title: `${editInFull({ op: this.op, ...edit }, this.count)}?`, text: "You can undo it." };
  }

  /** What a button says. */
  get action() {
    if (this.edits.length === 1) return editInFull({ op: this.op, keep: this.edits[0].keep }, this.count);
    return `${EDIT_VERBS[this.op].now} ${plural(this.edits.length, "tag")}`;
  }

  /** Does it. @returns {string} what was done */
  perform() {
    for (const [place, edit] of this.edits.entries()) {
      if (this.counts[place]) this.review.edit(this.op, edit, this.rows);
    }
    if (this.edits.length === 1) return `${editInFull({ op: this.op, ...this.edits[0] }, this.count, true)}.`;
    return `${EDIT_VERBS[this.op].done} ${plural(this.edits.length, "tag")}: ${this.countWords}.`;
  }
}

function isOfAll(entry) {
  return entry.rows === "all" && !entry.undone;
}

/** The tags that a typed text names: those between separators, or the one tag of the model that holds one. */
function typedTags(review, text) {
  return isCut(review, text) ? splitParts(text, review.dataset.separator) : [text.trim()].filter(Boolean);
}

/** Whether the separator would cut a tag, and the tag is none of the model's. A separator of blanks is left alone. */
function isCut({ dataset }, text) {
  const bare = bareSeparator(dataset.separator);
  const isKnown = dataset.categoryOf(text) !== null || dataset.categoryOfTag(text) !== null;
  return stripped(bare) !== "" && text.includes(bare) && !isKnown;
}

/** What a run would refuse of an edit, as a sentence; null: nothing. */
function editFault(review, op, { tag, with: other, caption }) {
  if (op === "reject") return null;
  if (op === "set") {
    if (caption.includes("\0")) return "A caption cannot hold a NUL character.";
    return caption.length > LONGEST_CAPTION ? `A caption has at most ${grouped(LONGEST_CAPTION)} characters.` : null;
  }
  if (op !== "replace") return tagFault(review, tag);
  return tagFault(review, tag) ?? (other ? tagFault(review, other) : "Type what is to stand in its place.");
}

function tagFault(review, tag) {
  if (!tag?.trim()) return "Type a tag.";
  if (tag.length > LONGEST_TAG) return `A tag has at most ${grouped(LONGEST_TAG)} characters.`;
  if (UNWRITABLE.test(tag)) return `“${shortened(tag, 40)}” is not in one line.`;
  if (!isCut(review, tag)) return null;
  const bare = bareSeparator(review.dataset.separator);
  return `“${shortened(tag, 40)}” holds “${bare}”, which stands between tags: it is no single tag.`;
}
