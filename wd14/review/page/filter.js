// The filter language: reading it. `halo -smile (outdoors OR sky) tokens:>75` becomes a tree, or an error that names
// the place and what was expected; filter_test.js makes a test of pictures from the tree.

const FILTER_FIELDS = {
  tokens: "number",
  tags: "number",
  width: "number",
  height: "number",
  score: "score",
  candidate: "text",
  name: "text",
  text: "text",
  finding: "text",
  status: ["failed", "rejected", "captioned", "scored"],
  is: ["edited", "unedited", "empty", "selected", "duplicate", "moved", "fixed", "uncertain"],
};

/** What is wrong with a filter, and where: `at` counts characters from 0. */
class FilterError extends Error {
  constructor(at, expected) {
    super(`Character ${at + 1}: expected ${expected}`);
    this.at = at;
  }
}

/** A text as one word of a filter that means exactly this tag. */
function quotedWord(text) {
  const isPlain = /^[\p{L}\p{N}][\p{L}\p{N}_.+!'/-]*$/u.test(text) && text !== "OR";
  return isPlain ? text : `"${text.replace(/["\\]/g, "\\$&")}"`;
}

/** The words of a filter as they are written, quoted parts whole. */
function filterWords(text) {
  return text.match(/(?:[^\s"]|"(?:\\.|[^"\\])*"?)+/g) ?? [];
}

/** A filter and one word more; its opposite goes. Where the word is there already, it goes instead. */
function withWord(text, word) {
  if (hasOpenOr(text)) return `(${text}) ${word}`;
  const words = filterWords(text);
  const opposite = word.startsWith("-") ? word.slice(1) : `-${word}`;
  const others = words.filter((each) => each !== word && each !== opposite);
  return (words.includes(word) ? others : [...others, word]).join(" ");
}

/** Whether an OR stands outside of all parentheses: a word behind it would belong to its last alternative only. */
function hasOpenOr(text) {
  let rest = text.replace(/"(?:\\.|[^"\\])*"?/g, "_");
  for (let before = ""; before !== rest; ) [before, rest] = [rest, rest.replace(/\([^()]*\)/g, "")];
  return filterWords(rest).includes("OR");
}

/**
 * The tree of a filter: {kind: "and" | "or", nodes}, {kind: "not", node}, {kind: "tag", text, isQuoted}, or
 * {kind: a field, …}.
 *
 * @throws {FilterError}
 */
function parseFilter(text) {
  const reader = new FilterReader(text);
  const tree = reader.alternatives();
  if (!reader.isAtEnd) throw new FilterError(reader.at, "a word; this parenthesis closes nothing");
  return tree;
}

class FilterReader {
  constructor(text) {
    this._text = text;
    this.at = 0;
    this._skipBlanks();
  }

  get isAtEnd() {
    return this.at >= this._text.length;
  }

  get _next() {
    return this._text[this.at];
  }

  /** `a b OR c`: one of several. */
  alternatives() {
    const nodes = [this._all()];
    while (this._takeOr()) nodes.push(this._all());
    return nodes.length === 1 ? nodes[0] : { kind: "or", nodes };
  }

  _all() {
    const nodes = [];
    const start = this.at;
    while (!this.isAtEnd && this._next !== ")" && !this._isAtOr()) nodes.push(this._one());
    if (nodes.length === 0 && (start > 0 || !this.isAtEnd)) throw new FilterError(this.at, "a word here");
    return nodes.length === 1 ? nodes[0] : { kind: "and", nodes };
  }

  _isAtOr() {
    return /^OR(?=[\s()]|$)/.test(this._text.slice(this.at, this.at + 3));
  }

  _takeOr() {
    if (!this._isAtOr()) return false;
    this.at += 2;
    this._skipBlanks();
    return true;
  }

  _one() {
    if (this._next === "-") {
      this.at += 1;
      if (this.isAtEnd || /\s/.test(this._next)) throw new FilterError(this.at, "a word directly behind the minus");
      return { kind: "not", node: this._one() };
    }
    return this._next === "(" ? this._group() : this._term();
  }

  _group() {
    const start = this.at;
    this.at += 1;
    this._skipBlanks();
    const tree = this.alternatives();
    if (this.isAtEnd) throw new FilterError(start, "a closing parenthesis for this one");
    this.at += 1;
    this._skipBlanks();
    return tree;
  }

  _term() {
    const field = /^([a-z]+):/.exec(this._text.slice(this.at, this.at + 12))?.[1];
    const start = this.at;
    if (Object.hasOwn(FILTER_FIELDS, field ?? "")) {
      this.at += field.length + 1;
      return this._field(field, FILTER_FIELDS[field]);
    }
    if (field !== undefined && /^[<>=]/.test(this._text.slice(this.at + field.length + 1))) {
      throw new FilterError(start, `one of ${Object.keys(FILTER_FIELDS).map((name) => `${name}:`).join(", ")}`);
    }
    const isQuoted = this._next === '"';
    const text = this._word("a word");
    this._skipBlanks();
    return { kind: "tag", text, isQuoted };
  }

  _field(field, type) {
    const start = this.at;
    let node;
    if (type === "number") node = { kind: field, ...this._comparison(start, `a number behind ${field}:, as in ${field}:>75`) };
    else if (type === "score") node = this._score();
    else {
      const text = this._word(type === "text" ? `a word behind ${field}:` : `one of ${type.join(", ")} behind ${field}:`);
      if (type === "text") node = { kind: field, text };
      else node = this._choice(start, field, text, type);
    }
    this._skipBlanks();
    return node;
  }

  _choice(start, field, text, choices) {
    const chosen = text.split("|");
    const wrong = chosen.find((word) => !choices.includes(word));
    if (wrong !== undefined) {
      throw new FilterError(start + text.indexOf(wrong), `one of ${choices.join(", ")} behind ${field}:, got “${wrong}”`);
    }
    return { kind: field, choices: chosen };
  }

  // `smile>0.6`, `"long hair"<0.5`, `smile`
  _score() {
    const start = this.at;
    const text = this._word("a tag behind score:, as in score:smile>0.6", /[\s()<>=]/);
    if (!/[<>=]/.test(this._next ?? "")) return { kind: "score", text, low: 0, high: Infinity };
    return { kind: "score", text, ...this._comparison(start, "a number from 0 to 1, as in score:smile>0.6") };
  }

  // `>75`, `>=75`, `<75`, `<=75`, `=75`, `75`, `60..75`: the numbers from `low` to `high`, or those between.
  _comparison(start, expected) {
    const rest = this._text.slice(this.at);
    const found = /^(>=|<=|>|<|=)?(\d+(?:\.\d+)?|\.\d+)(?:\.\.(\d+(?:\.\d+)?))?(?=[\s)]|$)/.exec(rest);
    if (found === null) {
      const word = /^[^\s)]*/.exec(rest)[0];
      throw new FilterError(this.at, word === "" ? expected : `${expected}, got “${word}”`);
    }
    const [all, sign = "=", first, last] = found;
    this.at += all.length;
    const number = Number(first);
    if (last !== undefined) return { low: number, high: Number(last) };
    if (sign === ">") return { low: number, high: Infinity, isOpen: true };
    if (sign === "<") return { low: -Infinity, high: number, isOpen: true };
    return { low: sign === "<=" ? -Infinity : number, high: sign === ">=" ? Infinity : number };
  }

  _word(expected, end = /\s/) {
    if (this._next === '"') return this._quoted();
    const start = this.at;
    let depth = 0; // `saber_(fate)` is one word
    for (; !this.isAtEnd && !end.test(this._next); this.at++) {
      if (this._next === "(") depth += 1;
      if (this._next === ")" && (depth -= 1) < 0 && this._text[this.at - 1] !== "\\") break;
    }
    if (this.at === start) throw new FilterError(start, expected);
    return this._text.slice(start, this.at);
  }

  _quoted() {
    const found = /^"((?:[^"\\]|\\.)*)"/s.exec(this._text.slice(this.at));
    if (found === null) throw new FilterError(this.at, "a closing quotation mark for this one");
    this.at += found[0].length;
    return found[1].replace(/\\(["\\])/g, "$1");
  }

  _skipBlanks() {
    while (!this.isAtEnd && /\s/.test(this._next)) this.at += 1;
  }
}
