// Puts the page together: the review, the parts that show it, and what passes between them. The last script: it starts.

const VIEW_KEY = "wd14-captioner review view";
const THEMES = ["auto", "dark", "light"];
/** The newest edits, in their list. */
const EDITS_SHOWN = 500;

class Page {
  /**
   * @param {Review} review
   * @param {object} data the page's data
   */
  constructor(review, data) {
    this.review = review;
    this.view = { size: innerWidth < 500 ? 150 : 176, below: "tags", theme: "auto", letters: true, ...keptView() };
    this.ui = new Ui(review);
    this.ui.openRow = (row, how) => this.openRow(row, how);
    this.ui.closeRow = () => this.closeRow();
    this.ui.showGrid = () => this.showGrid();
    this.grid = new Grid(this.ui, { size: this.view.size, below: this.view.below });
    this.detail = new Detail(this.ui, this.grid);
    this.panels = new SidePanels(review, this.ui);
    this.server = data.server ? new Server(review, this.ui, data.server) : null;
    this.saver = new Saver(review, this.ui, this.server);
    this.keeper = new Keeper(review, this.ui, () => this.showCounts());
    this.keyboard = new Keyboard(this);
    this.pending = new Set();
    this.wide = matchMedia("(min-width: 1700px)");
    this.wide.addEventListener("change", () => this.coverGrid());
  }

  start() {
    this.showHead();
    this.wireHead();
    this.wireTools();
    this.setTheme(this.view.theme);
    this.review.onChange((what) => this.changed(what));
    this.keeper.restore();
    this.keeper.listen();
    this.showCounts();
    this.panels.open(PANELS[0].key);
    this.server?.start();
    performance.mark("usable");
  }

  showHead() {
    const { dataset } = this.review;
    const { made_at: madeAt, model } = dataset.about;
    byId("name").textContent = dataset.title;
    byId("facts").textContent = [plural(this.review.rows, "picture"), model, timeInWords(madeAt)].filter(Boolean).join(" · ");
  }

  wireHead() {
    const onClick = {
      undo: () => this.ui.undo(),
      redo: () => this.ui.redo(),
      history: () => this.openHistory(),
      "open-file": () => this.saver.open(),
      save: () => this.saver.save(),
      help: () => openHelp(this),
      "filter-help": () => openHelp(this),
      apply: () => this.server.apply(),
      theme: () => this.setTheme(THEMES[(THEMES.indexOf(this.view.theme) + 1) % THEMES.length]),
      "select-all": () => this.selectShown(),
      "select-none": () => this.ui.selection.clear(),
      edit: () => this.ui.bulk("add"),
    };
    for (const [id, run] of Object.entries(onClick)) byId(id).addEventListener("click", run);
    byId("apply").hidden = !this.server?.canApply;
  }

  wireTools() {
    const filter = byId("filter");
    const apply = settled(() => this.ui.applyFilter(), 120);
    // Before the listener below: Enter and Escape are the list's while it is open.
    withCompletion(filter, {
      find: (text) => filterSuggestions(this.review, text),
      take: (text) => this.takeSuggestion(text),
    });
    filter.addEventListener("input", apply);
    filter.addEventListener("blur", () => apply.now()); // what is done next is done with the pictures shown
    filter.addEventListener("keydown", (event) => this.onFilterKey(event, apply));
    const size = byId("size");
    size.value = this.view.size;
    size.addEventListener("input", () => this.setView({ size: Number(size.value) }));
    const below = byId("below");
    below.value = this.view.below;
    below.addEventListener("change", () => this.setView({ below: below.value }));
  }

  onFilterKey(event, apply) {
    if (event.defaultPrevented) return;
    if (event.key === "Enter" || event.key === "ArrowDown") {
      apply.now(); // a window in the background has no blur event
      this.grid.activate(this.grid.active);
    } else if (event.key === "Escape" && this.ui.filterText) this.ui.setFilterText("");
    else if (event.key === "Escape") this.grid.activate(this.grid.active);
    else return;
    event.preventDefault();
  }

  takeSuggestion(text) {
    const { start, minus } = lastWord(this.ui.filterText);
    this.ui.setFilterText(`${this.ui.filterText.slice(0, start)}${minus}${this.ui.quoted(text)} `);
  }

  /** Several changes of one moment are drawn once. */
  changed(what) {
    if (!this.pending.size) requestAnimationFrame(() => this.draw());
    for (const each of what) this.pending.add(each);
  }

  draw() {
    const what = this.pending;
    this.pending = new Set();
    this.grid.update(what);
    this.showCounts();
    if (what.size > 1 || !what.has("selection")) this.detail.update();
    this.panels.changed(what);
    if (what.has("log")) this.showHistory?.();
  }

  showCounts() {
    const { review, ui } = this;
    const shown = review.visible.length;
    const selected = ui.selection.size ? `, ${grouped(ui.selection.size)} selected` : "";
    byId("count").textContent = `${grouped(shown)} of ${plural(review.rows, "picture")} shown${selected}`;
    byId("nothing").textContent = review.rows
      ? "No picture is shown: nothing fits the filter."
      : "This dataset has no pictures.";
    byId("undo").disabled = !review.canUndo;
    byId("redo").disabled = !review.canRedo;
    byId("select-none").disabled = ui.selection.size === 0;
    byId("edit-count").textContent = grouped(review.entries.filter((entry) => !entry.undone).length);
    byId("save").classList.toggle("primary", review.unsaved);
    const kept = this.keeper.hasFailed ? "Unsaved edits (not kept in this browser)" : "Unsaved edits (kept in this browser)";
    const words = this.server ? "Saving…" : kept;
    byId("kept").textContent = review.unsaved ? words : "";
    document.title = document.title.replace(/^\* /, "").replace(/^/, review.unsaved ? "* " : "");
  }

  openRow(row, how = {}) {
    this.ui.openedRow = row;
    this.grid.activateRow(row, { focus: false });
    byId("layout").dataset.detail = "open";
    if (this.panels.narrow.matches) this.panels.side.classList.remove("open");
    this.detail.open(row, how);
    this.coverGrid();
  }

  closeRow() {
    this.ui.openedRow = null;
    delete byId("layout").dataset.detail;
    this.detail.close();
    this.coverGrid();
    this.grid.activate(this.grid.active);
  }

  /** Takes away what covers the grid: the drawer, and one picture where there is no room beside it. */
  showGrid() {
    if (this.panels.side.classList.contains("open")) this.panels.toggleDrawer(false);
    if (this.ui.openedRow !== null && !this.wide.matches) this.closeRow();
  }

  /** Where one picture lies over the grid, the grid takes no focus. */
  coverGrid() {
    byId("browse").inert = this.ui.openedRow !== null && !this.wide.matches;
  }

  escape() {
    if (this.panels.side.classList.contains("open")) this.panels.toggleDrawer(false);
    else if (this.ui.openedRow !== null) this.closeRow();
    else if (this.ui.selection.size) this.ui.selection.clear();
  }

  /** Escape in a field: back to where one came from. */
  leaveField(field) {
    if (byId("detail").contains(field)) this.detail.title.focus();
    else if (this.panels.side.contains(field)) this.panels.focusTab();
    else this.grid.activate(this.grid.active);
  }

  addTag() {
    if (this.ui.openedRow !== null && this.ui.selection.size < 2) byId("add-tag").focus();
    else this.ui.bulk("add");
  }

  rejectCurrent() {
    if (this.ui.openedRow !== null) this.detail.toggleRejected();
    else if (this.ui.selection.size > 1) toggleRejection(this.ui, this.ui.selection.rows());
    else if (this.grid.activeRow !== null) toggleRejection(this.ui, [this.grid.activeRow]);
  }

  selectShown() {
    this.ui.selection.selectShown();
    this.ui.say(`${plural(this.ui.selection.size, "picture")} selected.`);
  }

  focusFilter() {
    if (this.ui.openedRow !== null && !this.wide.matches) this.closeRow();
    byId("filter").focus();
    byId("filter").select();
  }

  resize(by) {
    const size = byId("size");
    size.value = this.view.size + by * 24;
    this.setView({ size: Number(size.value) });
  }

  setView(view) {
    Object.assign(this.view, view);
    if ("size" in view || "below" in view) this.grid.setView(view);
    keepView(this.view);
  }

  setTheme(theme) {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    byId("theme").replaceChildren("Theme ", h("span", { text: theme }));
    if (theme !== this.view.theme) this.setView({ theme });
  }

  /** All edits, the newest first. */
  openHistory() {
    const place = h("div");
    this.showHistory = () => {
      const entries = [...this.review.entries].reverse();
      const older = entries.splice(EDITS_SHOWN).length;
      redraw(
        place,
        entries.length ? editList(this.ui, entries) : h("p", { class: "muted", text: "No edits yet." }),
        older ? h("p", { class: "muted", text: `And ${plural(older, "older edit")}.` }) : null,
      );
    };
    this.showHistory();
    const { closed } = openDialog({ title: "Edits", isWide: true, body: [place] });
    closed.then(() => {
      this.showHistory = null;
    });
  }
}

/** The word that is being typed at the end of a filter: where it starts, its minus, its text. */
function lastWord(text) {
  const [, minus, quote, word] = text.match(/(-?)("?)([^"\s()]*|(?<=")[^"]*)$/) || ["", "", "", ""];
  return { start: text.length - minus.length - quote.length - word.length, minus, word };
}

function filterSuggestions(review, text) {
  const { word } = lastWord(text);
  return word.length < 2 || word.includes(":") ? [] : review.complete(word, 8);
}

function keptView() {
  try {
    const kept = JSON.parse(localStorage.getItem(VIEW_KEY) || "{}");
    const isFit = {
      size: (value) => Number.isFinite(value) && value >= 80 && value <= 480,
      below: (value) => Object.hasOwn(CELL_LINES, value),
      theme: (value) => THEMES.includes(value),
      letters: (value) => typeof value === "boolean",
    };
    return Object.fromEntries(Object.entries(kept).filter(([key, value]) => isFit[key]?.(value)));
  } catch {
    return {}; // a view that is not kept costs nothing
  }
}

function keepView(view) {
  try {
    localStorage.setItem(VIEW_KEY, JSON.stringify(view));
  } catch {
    // Said by the keeper, where it concerns edits.
  }
}

function startPage() {
  const data = JSON.parse(byId("data").textContent);
  new Page(new Review(data), data).start();
}

try {
  startPage();
} catch (error) {
  byId("main").replaceChildren(
    h("p", { class: "error page-error", role: "alert", text: `This page cannot be shown: ${error.message}` }),
  );
  throw error;
}
