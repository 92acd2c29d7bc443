// The spellings of a tag, as wd14/spelling.py: `long_hair`, `long hair` and `Long Hair` are one tag.

// What Python's str.split() and str.strip() take for blanks; JavaScript's \s is not the same.
const BLANKS = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const BLANKS_AROUND = new RegExp(`^[${BLANKS}]+|[${BLANKS}]+$`, "g");
const BLANKS_BEFORE = new RegExp(`^[${BLANKS}]+`);
const BLANKS_BEHIND = new RegExp(`[${BLANKS}]+$`);
const BLANKS_WITHIN = new RegExp(`[${BLANKS}]+`, "g");
const PLAIN_ENDS = /^[!-~](?:.*[!-~])?$/s; // most texts, and quicker to see than what blanks there are
const PLAIN_TAG = /^[!-\[\]-~]*$/; // printable ASCII without a blank and without a backslash

/** The text without the blanks around it, as Python's strip(). */
function stripped(text) {
  return PLAIN_ENDS.test(text) ? text : text.replace(BLANKS_AROUND, "");
}

/** The same for all spellings of a tag except upper and lower case: `saber \(fate\)` -> `saber_(fate)`. */
function canonical(text) {
  if (PLAIN_TAG.test(text)) return text;
  const unescaped = text.includes("\\") ? text.replace(/\\([()])/g, "$1") : text;
  return stripped(unescaped).replace(BLANKS_WITHIN, "_");
}

/** The same for all spellings of a tag: `Long Hair` -> `long_hair`. */
function folded(text) {
  return casefolded(canonical(text));
}

/** Python's casefold(): `Straße` -> `strasse`. */
function casefolded(text) {
  return /^[\0-\x7f]*$/.test(text) ? text.toLowerCase() : Array.from(text, casefoldedCharacter).join("");
}

function casefoldedCharacter(character) {
  if (character === "\u0131") return character; // dotless i
  if (character === "\u1e9e") return "ss"; // capital sharp s
  if (/[\u13a0-\u13fd\uab70-\uabbf]/.test(character)) return character.toUpperCase(); // Cherokee folds to capitals
  return character.toUpperCase().toLowerCase();
}

/** The separator without its blanks; itself where it consists of nothing else. */
function bareSeparator(separator) {
  return stripped(separator) || separator;
}

/** The tags of a caption, without the blanks around them; empty ones are left out. */
function splitParts(text, separator) {
  const bare = bareSeparator(separator);
  return (bare === "" ? [text] : text.split(bare)).map(stripped).filter((part) => part !== "");
}

/** Finds the values of a tag by any of its spellings. Where two tags differ in case only, case counts. */
class Spellings {
  /** @param {Iterable<[string, number]>} entries names and their values */
  constructor(entries) {
    this.exact = new Map();
    this.foldedNames = new Map();
    for (const [name, value] of entries) {
      const key = canonical(name);
      addTo(this.exact, key, value);
      addTo(this.foldedNames, casefolded(key), value);
    }
  }

  /** @returns {number[]} the values of the tag that `text` spells; empty when there is none */
  find(text) {
    const key = canonical(text);
    return this.exact.get(key) ?? this.foldedNames.get(casefolded(key)) ?? [];
  }
}

/** Adds a value to the list that a map has under a key, each value once. */
function addTo(map, key, value) {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else if (!values.includes(value)) values.push(value);
}
