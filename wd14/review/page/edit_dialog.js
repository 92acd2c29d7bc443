// The dialog for an edit of many pictures: what, on which pictures, and how many would change, said before it is done.

/**
 * @param {Ui} ui
 * @param {string} op the operation that is chosen at first
 * @param {object} args what is filled in at first: {tag, with}
 */
function openEditDialog(ui, op, args) {
  new EditDialog(ui, op, args).open();
}

const EDIT_CHOICES = [
  ["add", "Add"],
  ["remove", "Remove"],
  ["replace", "Replace"],
  ["set", "Set caption"],
  ["reject", "Reject"],
];

class EditDialog {
  constructor(ui, op, args) {
    this.ui = ui;
    this.review = ui.review;
    this.op = op;
    this.tag = tagField(this.review, { value: args.tag || "", id: "edit-tag" });
    this.other = tagField(this.review, { value: args.with || "", id: "edit-with" });
    this.caption = h("textarea", { class: "field", id: "edit-caption", spellcheck: "false" });
    this.scopes = this.possibleScopes();
    this.scope = this.scopes[0].key;
    this.count = h("p", { role: "status", class: "number edit-count" });
    this.go = h("button", { class: "button primary" });
    this.go.type = "submit";
    this.recount = settled(() => this.showCount(), 120);
  }

  /** Selection, what is shown, one picture, all: those that there are, the likeliest first. */
  possibleScopes() {
    const { selection, openedRow } = this.ui;
    const scopes = [];
    const one = { key: "one", text: "this picture", rows: () => [openedRow] };
    const chosen = {
      key: "selection",
      text: `the selection (${grouped(selection.size)})`,
      rows: () => selection.rows(),
    };
    if (selection.size > 1) scopes.push(chosen);
    if (openedRow !== null) scopes.push(one);
    if (selection.size === 1 && openedRow === null) scopes.push(chosen);
    const shown = this.review.visible;
    scopes.push({
      key: "shown",
      text: `all that the filter shows (${grouped(shown.length)})`,
      rows: () => Array.from(shown),
    });
    scopes.push({ key: "all", text: `the whole dataset (${grouped(this.review.rows)})`, rows: () => "all" });
    return scopes;
  }

  open() {
    this.tagLine = h("div", { class: "stacked" }, h("label", { for: "edit-tag", text: "Tag" }), this.tag.element);
    this.withLine = h("div", { class: "stacked" }, h("label", { for: "edit-with", text: "With" }), this.other.element);
    this.captionLine = h(
      "div",
      { class: "stacked" },
      h("label", { for: "edit-caption", text: "Caption" }),
      this.caption,
    );
    const body = [
      this.radios("What", "edit-op", EDIT_CHOICES, this.op, (value) => {
        this.op = value;
      }),
      this.tagLine,
      this.withLine,
      this.captionLine,
      this.radios(
        "Which pictures",
        "edit-scope",
        this.scopes.map(({ key, text }) => [key, text]),
        this.scope,
        (value) => {
          this.scope = value;
        },
      ),
      this.count,
    ];
    const { dialog } = openDialog({ title: "Edit pictures", body, buttons: [this.go], close: "Cancel" });
    this.dialog = dialog;
    dialog.querySelector("form").addEventListener("submit", (event) => this.submit(event));
    for (const field of [this.tag.input, this.other.input, this.caption]) {
      field.addEventListener("input", this.recount);
      field.addEventListener("change", this.recount);
      // Enter at once after the last letter: a button that is still disabled would swallow it.
      field.addEventListener("keydown", (event) => event.key === "Enter" && this.recount.now());
    }
    this.showCount();
    if (this.op !== "reject") (this.tag.input.value && this.op === "replace" ? this.other : this.tag).input.focus();
  }

  radios(legend, name, choices, chosen, onChoose) {
    const group = h("fieldset", { class: name === "edit-op" ? "segments" : "choices" }, h("legend", { text: legend }));
    for (const [value, text] of choices) {
      const input = h("input", { type: "radio", name, value, checked: value === chosen });
      input.addEventListener("change", () => {
        onChoose(value);
        this.showCount();
      });
      group.append(h("label", {}, input, h("span", { text })));
    }
    return group;
  }

  get args() {
    const tag = this.tag.input.value.trim();
    if (this.op === "reject") return {};
    if (this.op === "set") return { caption: this.caption.value };
    return this.op === "replace" ? { tag, with: this.other.input.value.trim() } : { tag };
  }

  get rows() {
    return this.scopes.find(({ key }) => key === this.scope).rows();
  }

  /** The edit as it stands in the dialog. */
  get edit() {
    return new IntendedEdit(this.review, this.op, this.args, this.rows);
  }

  showCount() {
    this.tagLine.hidden = !OPERATIONS[this.op].includes("tag");
    this.withLine.hidden = this.op !== "replace";
    this.captionLine.hidden = this.op !== "set";
    const { edit } = this;
    const copies = edit.hasCopies ? " (copies of the same picture change together)" : "";
    this.count.textContent = edit.fault ?? `${edit.countWords} would change${copies}.`;
    this.go.textContent = edit.action;
    this.go.disabled = edit.count === 0;
  }

  submit(event) {
    const { edit } = this;
    if (edit.count) this.ui.say(edit.perform(), { undo: true });
    else event.preventDefault();
  }
}
