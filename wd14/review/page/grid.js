// The grid of pictures. Only the cells near the screen are in the page: all have one height, so the rest is a padding.
// The focus stays on the grid itself; the active cell is pointed at, as screen readers want it of a list that is cut.

const CELL_GAP = 8;
const CELL_LINES = { tags: 4, caption: 4, nothing: 0 };
/** Screens above and below the visible one that are kept filled. */
const SPARE_SCREENS = 0.5;

class Grid {
  /**
   * @param {Ui} ui
   * @param {{size: number, below: string}} view
   */
  constructor(ui, view) {
    Object.assign(this, { ui, review: ui.review, selection: ui.selection, view });
    this.element = byId("grid");
    this.scroller = byId("scroll");
    this.nothing = byId("nothing");
    /** Filled cells by row: they are used again, so that pictures do not flicker. */
    this.cells = new Map();
    this.active = 0;
    this.first = this.last = -1;
    this.rows = this.review.visible;
    this.scroller.addEventListener("scroll", () => this.fill(), { passive: true });
    new ResizeObserver(() => this.measure()).observe(this.scroller);
    this.element.addEventListener("click", (event) => this.onClick(event));
    this.element.addEventListener("dblclick", (event) => this.onDoubleClick(event));
    this.measure();
  }

  get activeRow() {
    return this.rows[this.active] ?? null;
  }

  setView(view) {
    Object.assign(this.view, view);
    this.cells.clear();
    this.measure();
  }

  /** How many columns there are and how high a line of cells is; then draws. */
  measure() {
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const style = getComputedStyle(this.element);
    const width = this.scroller.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    if (width <= 0) return;
    const top = this.rows[this.firstVisible() * (this.columns || 1)];
    this.columns = Math.max(1, Math.floor((width + CELL_GAP) / (this.view.size + CELL_GAP)));
    const lines = CELL_LINES[this.view.below];
    this.textHeight = Math.ceil(lines * 0.75 * 1.35 * rem + (lines ? 8 : 0));
    this.lineHeight = this.view.size + this.textHeight + 2 + CELL_GAP;
    this.element.style.setProperty("--columns", this.columns);
    this.element.style.setProperty("--picture-height", `${this.view.size}px`);
    this.element.style.setProperty("--lines", lines || 1);
    this.element.style.setProperty("--text-height", `${this.textHeight}px`);
    this.first = -1;
    this.resize();
    const place = this.rows.indexOf(top);
    if (place > 0) this.scroller.scrollTop = Math.floor(place / this.columns) * this.lineHeight;
    this.fill();
  }

  /** The number of the first line of cells that is seen. */
  firstVisible() {
    return this.lineHeight ? Math.max(0, Math.round(this.scroller.scrollTop / this.lineHeight)) : 0;
  }

  get lines() {
    return Math.ceil(this.rows.length / this.columns);
  }

  resize() {
    const [shown, hidden] = this.rows.length ? [this.element, this.nothing] : [this.nothing, this.element];
    const hadFocus = document.activeElement === hidden;
    shown.hidden = false;
    hidden.hidden = true;
    if (hadFocus) shown.focus({ preventScroll: true });
    this.element.style.height = `${this.lines * this.lineHeight}px`;
  }

  /** Puts the cells near the screen into the page. */
  fill() {
    if (!this.columns) return;
    const height = this.scroller.clientHeight;
    const { scrollTop } = this.scroller;
    // Whole blocks of lines, so that scrolling a little changes nothing.
    const block = Math.max(1, Math.ceil(height / this.lineHeight / 2));
    const from = Math.floor((scrollTop - SPARE_SCREENS * height) / this.lineHeight / block) * block;
    const to = Math.ceil((scrollTop + (1 + SPARE_SCREENS) * height) / this.lineHeight / block) * block;
    const first = Math.max(0, from) * this.columns;
    const last = Math.min(this.rows.length, to * this.columns);
    if (first === this.first && last === this.last) return;
    [this.first, this.last] = [first, last];
    const cells = new Map();
    for (let place = first; place < last; place++) {
      const row = this.rows[place];
      cells.set(row, this.cells.get(row) || this.makeCell(row));
      this.numberCell(cells.get(row), place);
    }
    this.cells = cells;
    this.element.style.paddingTop = `${(first / this.columns) * this.lineHeight}px`;
    this.element.replaceChildren(...cells.values());
    this.pointAtActive();
  }

  makeCell(row) {
    const cell = h("div", { class: "cell", role: "option", id: `cell-${row}`, dataset: { row } });
    cell.append(
      h(
        "div",
        { class: "picture" },
        pictureElement(this.review.dataset, row, this.view.size),
        h("span", { class: "check", "aria-hidden": "true" }),
        h("span", { class: "marks" }),
      ),
      " ", // between the words of the two: what is seen is part of the name
      h("div", { class: "below" }),
    );
    this.updateCell(cell, row);
    return cell;
  }

  numberCell(cell, place) {
    cell.setAttribute("aria-setsize", String(this.rows.length));
    cell.setAttribute("aria-posinset", String(place + 1));
  }

  /** What may change of a cell: its text, marks and selection. */
  updateCell(cell, row) {
    const { dataset } = this.review;
    const isRejected = this.review.isRejected(row);
    const hasFailed = dataset.status(row) === "failed";
    const isEdited = this.review.isEdited(row);
    const text = hasFailed ? dataset.reason(row) : this.review.caption(row);
    cell.setAttribute("aria-selected", String(this.selection.has(row)));
    // Most cells stay as they are when a slider moves: drawing them again would take longer than all captions do.
    const shown = JSON.stringify([text, this.review.uneditedCaption(row), isRejected, isEdited]);
    if (cell.shown === shown) return;
    cell.shown = shown;
    cell.classList.toggle("rejected", isRejected);
    cell.classList.toggle("failed", hasFailed);
    const words = [isRejected && "rejected", hasFailed && "failed", isEdited && !isRejected && "edited"].filter(
      Boolean,
    );
    cell.setAttribute(
      "aria-label",
      [dataset.name(row) || dataset.source(row), ...words, text || "no caption"].join(", "),
    );
    cell.title = dataset.source(row);
    cell
      .querySelector(".marks")
      .replaceChildren(...words.map((word) => h("span", { class: `mark-${word}`, text: word })));
    cell.querySelector(".below").replaceChildren(...this.belowPicture(row, hasFailed, text));
  }

  belowPicture(row, hasFailed, text) {
    if (this.view.below === "nothing") return [];
    if (hasFailed) return [h("span", { class: "error", text })];
    if (!text) return [h("span", { class: "muted", text: "no caption" })];
    if (this.view.below === "caption") return [text];
    return this.review.parts(row).flatMap((part, place) => {
      const tag = h("span", {
        text: part.text,
        "data-category": part.category,
        class: part.fromPerson ? "from-person" : null,
      });
      return place ? [" · ", tag] : [tag];
    });
  }

  /** Draws what changed. */
  update(what) {
    if (what.has("filter") || what.has("captions") || what.has("log") || what.has("thresholds")) this.updateRows();
    for (const [row, cell] of this.cells) {
      if (what.size === 1 && what.has("selection")) cell.setAttribute("aria-selected", String(this.selection.has(row)));
      else this.updateCell(cell, row);
    }
  }

  /** Follows the filter: the active picture stays the active one where it is still shown. */
  updateRows() {
    const rows = this.review.visible;
    if (rows === this.rows) return;
    const isSame = rows.length === this.rows.length && rows.every((row, place) => row === this.rows[place]);
    const { activeRow } = this;
    this.rows = rows;
    if (isSame) return;
    this.active = Math.max(0, rows.indexOf(activeRow ?? -1));
    this.first = -1;
    this.resize();
    if (this.active === 0) this.scroller.scrollTop = 0;
    this.fill();
  }

  /** Makes a place of the shown pictures the active one, and brings it onto the screen. */
  activate(place, { focus = true } = {}) {
    if (!this.rows.length) {
      if (focus) this.nothing.focus({ preventScroll: true });
      return;
    }
    this.active = Math.min(this.rows.length - 1, Math.max(0, place));
    const top = Math.floor(this.active / this.columns) * this.lineHeight;
    const { scrollTop, clientHeight } = this.scroller;
    if (top < scrollTop) this.scroller.scrollTop = top;
    else if (top + this.lineHeight > scrollTop + clientHeight)
      this.scroller.scrollTop = top + this.lineHeight - clientHeight + CELL_GAP;
    this.fill();
    this.pointAtActive();
    if (focus) this.element.focus({ preventScroll: true });
  }

  activateRow(row, how) {
    const place = this.rows.indexOf(row);
    if (place >= 0) this.activate(place, how);
  }

  pointAtActive() {
    const row = this.activeRow;
    for (const cell of this.element.querySelectorAll(".active")) cell.classList.remove("active");
    const cell = this.cells.get(row);
    if (cell) {
      cell.classList.add("active");
      this.element.setAttribute("aria-activedescendant", cell.id);
    } else this.element.removeAttribute("aria-activedescendant");
  }

  onClick(event) {
    const cell = event.target.closest(".cell");
    if (!cell) return;
    const row = Number(cell.dataset.row);
    const isTouch = event.pointerType === "touch";
    this.activateRow(row);
    if (event.shiftKey) this.selection.extendTo(row, event.ctrlKey || event.metaKey);
    else if (event.ctrlKey || event.metaKey || event.target.closest(".check")) this.selection.toggle(row);
    else if (isTouch && this.selection.size) this.selection.toggle(row);
    else if (isTouch) this.ui.openRow(row);
    else {
      this.selection.only(row);
      if (this.ui.openedRow !== null) this.ui.openRow(row, { focus: false });
    }
  }

  onDoubleClick(event) {
    const cell = event.target.closest(".cell");
    if (cell && !event.target.closest(".check")) this.ui.openRow(Number(cell.dataset.row));
  }

  /** Moves the active cell; with shift the selection follows. @returns {boolean} whether the key was one of ours */
  onKey(event) {
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / this.lineHeight)) * this.columns;
    const steps = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: this.columns,
      ArrowUp: -this.columns,
      PageDown: page,
      PageUp: -page,
      Home: -this.rows.length,
      End: this.rows.length,
    };
    const step = steps[event.key];
    if (step === undefined || event.altKey) return false;
    if (event.shiftKey && this.selection.anchor === null) this.selection.anchor = this.activeRow;
    this.activate(this.active + step);
    if (this.ui.openedRow !== null && this.activeRow !== null) this.ui.openRow(this.activeRow, { focus: false });
    if (event.shiftKey && this.activeRow !== null) this.selection.extendTo(this.activeRow);
    return true;
  }
}
