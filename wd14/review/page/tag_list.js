// The panel of all tags: how many captions have each, to be searched, sorted, filtered by and changed everywhere.

/** What stands in the chips for texts that are no tags of the model: trigger words, a person's own. */
const OWN_WORDS = "own words";

const TAG_ORDERS = {
  count: (one, other) => other.count - one.count || compareKeys(one, other),
  name: (one, other) => compareKeys(one, other),
  category: (one, other) =>
    compareStrings(one.category, other.category) || other.count - one.count || compareKeys(one, other),
};

function compareStrings(one, other) {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

function compareKeys(one, other) {
  return compareStrings(one.key, other.key);
}

/** Fills the container with the list of tags. Returns `update(what)`. */
function mountTagList(container, review, ui) {
  const panel = new TagList(review, ui);
  container.append(panel.element);
  panel.update(new Set(["captions", "filter"]));
  return (what) => panel.update(what);
}

class TagList {
  constructor(review, ui) {
    this.review = review;
    this.ui = ui;
    this.order = "count";
    this.categories = new Set();
    this.known = new Map();
    this.entries = [];
    this.search = h("input", {
      type: "search",
      class: "field tags-search",
      placeholder: "Find a tag",
      "aria-label": "Find a tag in the list",
      autocomplete: "off",
      spellcheck: "false",
      on: { input: () => this.show(), keydown: (event) => this.onSearchKey(event) },
    });
    this.orderBox = this.makeOrderBox();
    this.chips = h("div", { class: "tags-chips", role: "group", "aria-label": "Categories" });
    this.said = h("p", { class: "tags-said muted", role: "status" });
    this.list = new VirtualList(
      "Tags",
      () => this.makeLine(),
      (line, entry) => this.fillLine(line, entry),
    );
    this.list.element.addEventListener("contextmenu", (event) => this.onContextMenu(event));
    const head = h("div", { class: "tags-head" }, this.search, this.orderBox);
    this.element = h("div", { class: "tags-panel" }, head, this.chips, this.said, this.list.element);
  }

  update(what) {
    if (what.has("captions") || what.has("thresholds") || what.has("log")) this.count();
    if (what.has("filter")) this.filterWords = new Set(filterWords(this.ui.filterText));
    this.show();
  }

  /** Takes over the counts of the captions as they are now. */
  count() {
    const counts = this.review.tagCounts();
    this.entries = [];
    for (const [text, count] of counts) {
      if (count > 0) this.entries.push({ ...this.knownText(text), count });
    }
    this.most = this.entries.reduce((most, entry) => Math.max(most, entry.count), 1);
    this.drawChips();
  }

  knownText(text) {
    let known = this.known.get(text);
    if (known === undefined) {
      const word = this.ui.quoted(text);
      known = { text, word, key: folded(text), category: this.review.dataset.categoryOf(text) ?? OWN_WORDS };
      this.known.set(text, known);
    }
    return known;
  }

  show() {
    const wanted = folded(this.search.value.trim());
    const chosen = this.categories;
    const shown = this.entries.filter(
      (entry) => (chosen.size === 0 || chosen.has(entry.category)) && entry.key.includes(wanted),
    );
    shown.sort(TAG_ORDERS[this.order]);
    this.list.show(shown);
    const all = this.entries.length;
    this.said.textContent =
      shown.length === all ? plural(all, "tag") : `${grouped(shown.length)} of ${plural(all, "tag")}`;
  }

  makeOrderBox() {
    const options = Object.keys(TAG_ORDERS).map((order) => h("option", { value: order, text: `by ${order}` }));
    const box = h("select", { class: "field tags-order", "aria-label": "Order of the tags" }, ...options);
    box.addEventListener("change", () => {
      this.order = box.value;
      this.list.element.scrollTop = 0;
      this.show();
    });
    return box;
  }

  drawChips() {
    const numbers = new Map();
    for (const entry of this.entries) numbers.set(entry.category, (numbers.get(entry.category) ?? 0) + 1);
    for (const category of this.categories) if (!numbers.has(category)) this.categories.delete(category);
    const signature = [...numbers].join(";");
    if (signature === this.chipsShown) return;
    this.chipsShown = signature;
    const focused = this.chips.contains(document.activeElement) ? document.activeElement.value : null;
    const byName = [...numbers].sort((one, other) => other[1] - one[1]);
    this.chips.replaceChildren(...byName.map(([category, number]) => this.makeChip(category, number)));
    if (focused !== null) [...this.chips.children].find((chip) => chip.value === focused)?.focus();
  }

  makeChip(category, number) {
    const chip = h(
      "button",
      { class: "chip", value: category, "aria-pressed": String(this.categories.has(category)) },
      h("span", { class: "tags-dot", dataset: { category } }),
      `${category} `,
      h("span", { class: "number muted", text: grouped(number) }),
    );
    chip.addEventListener("click", () => {
      if (!this.categories.delete(category)) this.categories.add(category);
      chip.setAttribute("aria-pressed", String(this.categories.has(category)));
      this.show();
    });
    return chip;
  }

  makeLine() {
    const name = h("span", { class: "tags-name" });
    const number = h("span", { class: "number tags-number" });
    const dot = h("span", { class: "tags-dot" });
    const noun = hiddenText("");
    const having = h("button", { class: "tags-having" }, dot, name, hiddenText(", "), number, noun);
    const lacking = h("button", { class: "tags-lacking", text: "−" });
    const more = h("button", { class: "tags-more", text: "⋯", "aria-haspopup": "menu" });
    more.setAttribute("aria-expanded", "false");
    const line = h("div", { class: "tags-line", role: "listitem" }, having, lacking, more);
    having.addEventListener("click", (event) => this.filterBy(line.shownEntry, event.altKey));
    lacking.addEventListener("click", () => this.filterBy(line.shownEntry, true));
    more.addEventListener("click", () => this.openMenu(line.shownEntry, more));
    Object.assign(line, { name, number, noun, dot, having, lacking, more });
    return line;
  }

  fillLine(line, entry) {
    const { text, count, category, word } = entry;
    line.name.textContent = text;
    line.number.textContent = grouped(count);
    line.dot.dataset.category = category;
    line.having.title = `${text}: ${plural(count, "picture")}, ${category}`;
    line.noun.textContent = count === 1 ? " picture" : " pictures";
    line.lacking.setAttribute("aria-label", `${text}: show pictures without it`);
    line.lacking.title = `Show pictures without ${text}`;
    line.more.setAttribute("aria-label", `${text}: more`);
    line.having.setAttribute("aria-pressed", String(this.filterWords.has(word)));
    line.lacking.setAttribute("aria-pressed", String(this.filterWords.has(`-${word}`)));
    line.style.setProperty("--share", (count / this.most).toFixed(4));
  }

  filterBy(entry, against) {
    this.ui.addFilterWord(against ? `-${entry.word}` : entry.word);
  }

  onSearchKey(event) {
    if (event.key === "ArrowDown") this.list.focusActive();
    else if (event.key === "Enter" && this.list.entries.length > 0) this.filterBy(this.list.entries[0], event.altKey);
    else if (event.key === "Escape" && this.search.value !== "") {
      this.search.value = "";
      this.show();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  onContextMenu(event) {
    const line = event.target.closest(".tags-line");
    if (!line?.shownEntry) return;
    event.preventDefault();
    this.openMenu(line.shownEntry, line.more);
  }

  openMenu(entry, anchor) {
    const { text, word, count } = entry;
    const { review, ui } = this;
    const without = review.countable - count;
    const entries = [
      { label: `Show ${plural(count, "picture")} with it`, run: () => ui.setFilterText(word) },
      { label: `Show ${plural(without, "picture")} without it`, run: () => ui.setFilterText(`-${word}`) },
      {
        label: "Show pictures where it is below the threshold",
        run: () => ui.setFilterText(`candidate:${word}`),
        disabled: !review.dataset.hasCandidates || entry.category === OWN_WORDS,
      },
      {
        label: `Remove from ${plural(count, "picture")} …`,
        run: () => ui.edit("remove", { tag: text }, "all"),
      },
      { label: "Replace …", run: () => ui.bulk("replace", { tag: text }) },
      {
        label: `Add to ${plural(without, "picture")} …`,
        run: () => ui.edit("add", { tag: text }, "all"),
        disabled: without === 0,
      },
    ];
    openMenu(anchor, entries, text);
  }
}

/** Text for screen readers only. */
function hiddenText(text) {
  return h("span", { class: "visually-hidden", text });
}
