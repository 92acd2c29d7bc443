// The keyboard: one table of keys, which the help dialog shows as well. Keys do nothing while somebody types, nor while
// a dialog is open; single letters can be turned off.

/** Fields in which letters are text. */
const TYPING =
  "textarea, select, [contenteditable], input:not([type=range], [type=checkbox], [type=radio], [type=button])";

class Keyboard {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    this.groups = keyGroups(page);
    document.addEventListener("keydown", (event) => this.onKey(event));
  }

  onKey(event) {
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
    const isTyping = event.target instanceof Element && event.target.matches(TYPING);
    const name = keyName(event);
    if (isTyping) {
      if (name === "Escape" && event.target.id !== "filter") this.page.leaveField(event.target);
      else if (name === "Control+s") this.run(name, event);
      return;
    }
    if (event.target === this.page.grid.element && this.page.grid.onKey(event)) event.preventDefault();
    else this.run(name, event);
  }

  run(name, event) {
    const found = this.groups
      .flatMap(({ keys }) => keys)
      .find(({ names, run, when }) => run && names.includes(name) && (!when || when(event)));
    const isLetter = name.length === 1 && name !== "?" && name !== "/";
    if (!found || (isLetter && !this.page.view.letters)) return;
    event.preventDefault();
    found.run(event);
  }
}

/** "Control+z", "Control+Shift+z", "x", "?": Command counts as Control. */
function keyName(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const isLetter = /^[a-z]$/.test(key);
  return [
    (event.ctrlKey || event.metaKey) && "Control",
    event.altKey && "Alt",
    event.shiftKey && (isLetter || key.length > 1) && "Shift",
    key,
  ]
    .filter(Boolean)
    .join("+");
}

/**
 * @param {Page} page
 * @returns {{title: string, keys: {names: string[], shown: string, text: string, run?: Function, when?: Function}[]}[]}
 */
function keyGroups(page) {
  const { ui, grid, detail, saver } = page;
  const inGrid = (event) => event.target === grid.element;
  const isOpen = () => detail.row !== null;
  const key = (names, shown, text, run, when) => ({ names: names.split(" "), shown, text, run, when });
  return [
    {
      title: "Pictures",
      keys: [
        key("-", "arrows, Home, End, Page Up, Page Down", "move"),
        key(
          "Enter",
          "Enter",
          "open the picture",
          () => ui.openRow(grid.activeRow),
          (event) => inGrid(event) && grid.activeRow !== null,
        ),
        key(
          " ",
          "Space",
          "select, or unselect",
          () => grid.activeRow !== null && ui.selection.toggle(grid.activeRow),
          inGrid,
        ),
        key("-", "Shift + arrows", "extend the selection"),
        key("Control+a", "Ctrl A", "select all shown", () => page.selectShown()),
        key("+ =", "+", "larger pictures", () => page.resize(1)),
        key("-", "-", "smaller pictures", () => page.resize(-1)),
        key("g", "g", "go to the grid", () => grid.activate(grid.active)),
      ],
    },
    {
      title: "One picture",
      keys: [
        key("ArrowRight j", "→ or j", "the next one", () => detail.step(1), isOpen),
        key("ArrowLeft k", "← or k", "the one before", () => detail.step(-1), isOpen),
        key("t", "t", "to its tags", () => detail.tags.focus(detail.tags.current), isOpen),
        key("-", "in the tags: arrows, Enter, Delete", "move, replace, remove"),
        key("-", "in the tags: Alt + arrow", "move the tag"),
        key("e", "e", "write its caption as text", () => detail.editText(), isOpen),
        key("Escape", "Escape", "close it; then: select none", () => page.escape()),
      ],
    },
    {
      title: "Edits",
      keys: [
        key("a", "a", "add a tag", () => page.addTag()),
        key("r", "r", "remove a tag", () => ui.bulk("remove")),
        key("c", "c", "replace a tag", () => ui.bulk("replace")),
        key("x", "x", "reject, or take back", () => page.rejectCurrent()),
        key("Control+z", "Ctrl Z", "undo", () => ui.undo()),
        key("Control+Shift+z Control+y", "Ctrl Shift Z, Ctrl Y", "redo", () => ui.redo()),
        key("Control+s", "Ctrl S", "save", () => saver.save()),
      ],
    },
    {
      title: "Everywhere",
      keys: [
        key("/ f", "/ or f", "filter", () => page.focusFilter()),
        ...PANELS.map(({ title }, place) =>
          key(String(place + 1), String(place + 1), `panel: ${title}`, () => page.panels.focus(place)),
        ),
        key("?", "?", "this help", () => openHelp(page)),
      ],
    },
  ];
}
