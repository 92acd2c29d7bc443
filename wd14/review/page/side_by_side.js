// Pictures that are alike beside each other: what tells them apart, and buttons that reject all but the best.

/** Pictures that are drawn at a time. */
const PICTURES_AT_ONCE = 12;

class SideBySide {
  /**
   * @param {Review} review
   * @param {Ui} ui
   * @param {number[]} rows the pictures, two or more
   */
  constructor(review, ui, rows) {
    Object.assign(this, { review, ui, rows, cards: [] });
    this.groups = copiesAmong(review, rows);
    this.twins = new Set(this.groups.flatMap((group) => group.rows));
    const list = h("ul", { class: "side-list" });
    const more = fillInSteps(list, rows, PICTURES_AT_ONCE, (row) => this.makeCard(row), "picture");
    this.element = h("div", { class: "side-by-side" });
    this.element.append(...this.groups.map((group) => this.makeGroup(group)));
    this.element.append(list, more);
    this.update();
  }

  /** Files that are the same, byte for byte, are one among the edits: they stay or go together, but for the first. */
  makeGroup(group) {
    const names = group.rows.map((row) => this.review.dataset.source(row)).join(", ");
    group.keep = button("Keep the first only", () => this.ui.edit("reject", { keep: "first" }, group.rows));
    const words = h("p", { class: "side-twins", text: `Copies of one file: ${names}` });
    return h("div", { class: "side-copies" }, words, group.keep);
  }

  makeCard(row) {
    const { dataset } = this.review;
    const size = dataset.size(row);
    const name = dataset.name(row) ?? dataset.source(row);
    const caption = h("p", { class: "side-caption" });
    const tools = h("div", { class: "side-tools" });
    const element = h("li", { class: "side-card" }, this.ui.thumbnail(row, { size: 120 }));
    const sizeText = size ? `${size.width} × ${size.height}` : "size not known";
    element.append(h("p", { class: "muted number", text: sizeText }), caption, tools);
    const card = { row, name, element, caption, tools };
    if (!this.twins.has(row)) this.addTools(card);
    this.cards.push(card);
    if (this.common) this.updateCard(card);
    return element;
  }

  addTools(card) {
    card.reject = button("Reject", () => toggleRejection(this.ui, [card.row]));
    card.keep = button("Keep only this", () => this.keepOnly(card.row), { class: "quiet" });
    card.keep.setAttribute("aria-label", `Keep only this: ${card.name}`);
    card.tools.append(card.reject, card.keep);
  }

  /** Rejects all others that can be rejected. */
  keepOnly(kept) {
    const others = this.rows.filter((row) => row !== kept && !this.twins.has(row) && !this.review.isRejected(row));
    this.ui.edit("reject", {}, others);
  }

  /** Shows captions and rejections as they are now. */
  update() {
    this.common = partsOfAll(
      this.review,
      this.cards.map((card) => card.row),
    );
    for (const card of this.cards) this.updateCard(card);
    for (const { rows, keep } of this.groups) keep.disabled = rows.slice(1).every((row) => this.review.isRejected(row));
  }

  updateCard({ row, name, element, caption, reject, keep }) {
    const isRejected = this.review.isRejected(row);
    const { separator } = this.review.dataset;
    const own = splitParts(this.review.caption(row), separator).filter((part) => !this.common.has(folded(part)));
    const marked = own.flatMap((part, at) => [at === 0 ? "" : separator, h("mark", { text: part })]);
    const words = own.length > 0 ? "Not in all captions: " : "No tag that the others lack.";
    caption.replaceChildren(h("span", { class: "muted", text: words }), ...marked);
    element.classList.toggle("side-rejected", isRejected);
    if (!reject) return;
    reject.textContent = isRejected ? "Take back" : "Reject";
    reject.setAttribute("aria-label", `${reject.textContent}: ${name}`);
    keep.hidden = isRejected;
  }
}

/** Rows whose files are the same, byte for byte: [{rows}], each with two or more, in the dataset's order. */
function copiesAmong(review, rows) {
  const bySha = new Map();
  for (const row of [...rows].sort((one, other) => one - other)) {
    const sha = review.dataset.sha(row);
    if (bySha.has(sha)) bySha.get(sha).rows.push(row);
    else bySha.set(sha, { rows: [row] });
  }
  return [...bySha.values()].filter((group) => group.rows.length > 1);
}

/** The parts, in folded spelling, that all of these rows' captions have. */
function partsOfAll(review, rows) {
  const [first, ...others] = rows.map(
    (row) => new Set(splitParts(review.caption(row), review.dataset.separator).map(folded)),
  );
  return new Set([...first].filter((part) => others.every((parts) => parts.has(part))));
}
