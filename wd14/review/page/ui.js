// What the parts of the page have in common: saying, asking, editing, filtering, opening. Panels get this as `ui`.

class Ui {
  /** @param {Review} review */
  constructor(review) {
    this.review = review;
    this.selection = new Selection(review);
    this.filterBox = byId("filter");
    /** The row of the detail view, or null. `openRow`, `closeRow` and `showGrid` are given by the page. */
    this.openedRow = null;
    byId("status-undo").addEventListener("click", () => this.undo());
  }

  /** Says what was done, to eyes and to screen readers; `undo`: with a button that takes it back. */
  say(text, { undo = false, error = false } = {}) {
    const line = byId("status");
    line.textContent = "";
    line.classList.toggle("error", error);
    // Emptied for a moment: then the same words twice are read twice.
    setTimeout(() => line.replaceChildren(text), 20);
    byId("status-undo").hidden = !undo;
  }

  confirm(what) {
    return confirmDialog(what);
  }

  get filterText() {
    return this.filterBox.value;
  }

  /** Puts a text into the filter box, applies it, and lets the pictures be seen where a drawer covers them. */
  setFilterText(text) {
    this.showGrid();
    this.fillFilter(text);
  }

  fillFilter(text) {
    this.filterBox.value = text;
    this.applyFilter();
  }

  /** Applies what stands in the filter box; says what is wrong with it. */
  applyFilter() {
    const { error } = this.review.setFilter(this.filterBox.value);
    const line = byId("filter-error");
    line.hidden = !error;
    line.textContent = error || "";
    this.filterBox.setAttribute("aria-invalid", String(Boolean(error)));
  }

  /** A tag as one word of the filter language. */
  quoted(text) {
    return quotedWord(text);
  }

  /** Adds a word ("halo", "-halo"); its opposite goes; the same word again goes too. */
  addFilterWord(word) {
    this.fillFilter(withWord(this.filterText, word));
  }

  /** Shows only these rows besides the filter, under a label; null shows all again. */
  showRows(rows, label) {
    this.showGrid();
    this.review.setFindings(rows, label);
    const chip =
      rows === null
        ? []
        : [
            h(
              "button",
              { class: "chip", on: { click: () => this.showRows(null, "") } },
              label,
              h("span", { text: "×", "aria-hidden": "true" }),
              h("span", { class: "visually-hidden", text: "(show all again)" }),
            ),
          ];
    byId("chips").replaceChildren(...chip);
  }

  /**
   * Counts, asks with the number where several pictures change, does it, says it.
   * @returns {Promise<boolean>} whether it was done
   */
  async edit(op, args, rows) {
    const edit = new IntendedEdit(this.review, op, args, rows);
    if (!edit.count) {
      this.say(edit.fault ?? `${edit.title}: no picture would change.`, { error: edit.fault !== null });
      return false;
    }
    const isMany = (rows === "all" || rows.length > 1) && edit.count > 1;
    if (isMany && !(await this.confirm({ ...edit.question, action: edit.action }))) return false;
    this.say(edit.perform(), { undo: true });
    return true;
  }

  /** Opens the dialog for an edit of one or many pictures. */
  bulk(op, args = {}) {
    openEditDialog(this, op, args);
  }

  undo() {
    const entry = this.review.canUndo ? this.review.undo() : null;
    this.say(entry ? `Taken back: ${editWords(entry)} (${rowsWords(entry.rows)}).` : "Nothing to undo.");
  }

  redo() {
    const entry = this.review.canRedo ? this.review.redo() : null;
    this.say(entry ? `Done again: ${editWords(entry)} (${rowsWords(entry.rows)}).` : "Nothing to redo.");
  }

  /** A picture as a button that opens it. */
  thumbnail(row, { size = 96 } = {}) {
    const { dataset } = this.review;
    const thumb = h(
      "button",
      { class: "thumb", title: dataset.source(row), on: { click: () => this.openRow(row) } },
      pictureElement(dataset, row, size),
      h("span", { class: "thumb-name", text: dataset.name(row) || dataset.source(row) }),
    );
    thumb.style.width = `${size}px`;
    return thumb;
  }
}

/** A row's picture as an element: the thumbnail, else the picture, else words. */
function pictureElement(dataset, row, size) {
  const sources = (
    size > 280 ? [dataset.picture(row), dataset.thumbnail(row)] : [dataset.thumbnail(row), dataset.picture(row)]
  ).filter(Boolean);
  if (!sources.length) return h("span", { class: "missing", text: "no picture" });
  const image = h("img", { alt: "", loading: "lazy", decoding: "async", draggable: "false" });
  image.addEventListener("error", () => {
    sources.shift();
    if (sources.length) image.src = sources[0];
    else image.replaceWith(h("span", { class: "missing", text: "picture not found" }));
  });
  image.src = sources[0];
  return image;
}
