// Which pictures are selected. The review holds the flags (its filter knows `is:selected`); this changes them.

class Selection {
  /** @param {Review} review */
  constructor(review) {
    this.review = review;
    this.flags = review.selected;
    /** The row from which shift extends. */
    this.anchor = null;
    this.count = 0;
  }

  /** Number of selected rows. */
  get size() {
    return this.count;
  }

  has(row) {
    return this.flags[row] === 1;
  }

  /** Selected rows, in the dataset's order. */
  rows() {
    const rows = [];
    for (let row = 0; row < this.flags.length; row++) if (this.flags[row]) rows.push(row);
    return rows;
  }

  /** Selects exactly these rows. */
  set(rows) {
    this.flags.fill(0);
    for (const row of rows) this.flags[row] = 1;
    this.changed();
  }

  add(rows) {
    for (const row of rows) this.flags[row] = 1;
    this.changed();
  }

  toggle(row) {
    this.flags[row] = this.flags[row] ? 0 : 1;
    this.anchor = row;
    this.changed();
  }

  only(row) {
    this.anchor = row;
    this.set([row]);
  }

  /** Selects what the filter shows from the anchor to `row`; `keep`: besides what is selected already. */
  extendTo(row, keep = false) {
    const shown = this.review.visible;
    const to = shown.indexOf(row);
    const from = this.anchor === null ? to : shown.indexOf(this.anchor);
    if (to < 0) return;
    const range = from < 0 ? [row] : shown.subarray(Math.min(from, to), Math.max(from, to) + 1);
    if (keep) this.add(range);
    else this.set(range);
  }

  /** Selects everything that the filter shows. */
  selectShown() {
    this.set(this.review.visible);
  }

  clear() {
    this.flags.fill(0);
    this.changed();
  }

  changed() {
    let count = 0;
    for (const flag of this.flags) count += flag;
    this.count = count;
    this.review.selectionChanged();
  }
}
