// The help dialog: keys, and the filter language.

const FILTER_HELP = [
  ["halo", "has this tag, in any spelling; no such tag: has one that contains it"],
  ["-smile", "lacks it"],
  ['"long hair"', "a tag with a blank"],
  ["*hair", "any tag that ends so"],
  ["halo smile", "both"],
  ["halo OR smile", "one of them; ( ) for groups"],
  ["tags:<5", "number of tags; also tokens: width: height:"],
  ["score:smile>0.6", "the model's score of a tag"],
  ["candidate:smile", "scored, but below its threshold"],
  ["name:alice", "the file's name contains it"],
  ['text:"red hair"', "the caption's text contains it"],
  ["status:failed", "also rejected, captioned, scored"],
  ["is:edited", "also unedited, empty, selected, duplicate, moved, fixed"],
  ["finding:rule-name", "pictures of a finding"],
];

/** @param {Page} page */
function openHelp(page) {
  const tables = page.keyboard.groups.map(({ title, keys }) =>
    helpTable(
      title,
      keys.map(({ shown, text }) => [keyNames(shown), text]),
    ),
  );
  const filter = helpTable(
    "Filter",
    FILTER_HELP.map(([word, text]) => [h("code", { text: word }), text]),
  );
  const letters = h("input", { type: "checkbox", id: "letters", checked: page.view.letters });
  letters.addEventListener("change", () => page.setView({ letters: letters.checked }));
  openDialog({
    title: "Help",
    isWide: true,
    body: [
      h("div", { class: "help" }, ...tables, filter),
      h("p", {}, h("label", { for: "letters" }, letters, " Single letters and digits work as keys")),
      h(
        "p",
        { class: "muted" },
        "On pictures: a click selects, with Ctrl adds, with Shift extends; a double click opens. " +
          "Edits stay in this browser until they are saved; undo and redo never lose one.",
      ),
    ],
  });
}

/** "→ or j" -> two keys; what stands before a colon says where they work. */
function keyNames(shown) {
  const [keys, where] = shown.split(": ").reverse();
  const nodes = keys.split(/( or |, )/).map((piece, place) => (place % 2 ? piece : h("kbd", { text: piece })));
  return where ? [`${where}: `, ...nodes] : nodes;
}

function helpTable(title, lines) {
  return h(
    "table",
    {},
    h("caption", { text: title }),
    h(
      "tbody",
      {},
      ...lines.map(([head, text]) => h("tr", {}, h("th", { scope: "row" }, ...[head].flat()), h("td", { text }))),
    ),
  );
}
