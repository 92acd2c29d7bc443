// Review: which pictures are shown.

class ReviewFilter {
  _startFilter() {
    this.filterText = "";
    this.findingsLabel = "";
    this._filter = null; // its tree
    this._findingRows = null; // flags
  }

  /** Shows only the pictures that a filter fits. @returns {{error: null | string}} */
  setFilter(text) {
    let tree = null;
    try {
      tree = stripped(text) === "" ? null : parseFilter(text);
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      return { error: error.message };
    }
    this.filterText = text;
    this._filter = tree;
    this._changed("filter");
    return { error: null };
  }

  /** Shows only these rows as well; null = all. */
  setFindings(rows, label) {
    this._findingRows = rows === null ? null : flagsOf(rows, this.rows);
    this.findingsLabel = rows === null ? "" : label;
    this._changed("filter");
  }

  /** The rows that the filter shows. */
  get visible() {
    return this._cached("visible", () => {
      const doubt = (row) => this.doubt(row);
      const tests = new FilterTests(this.dataset, this._table, this._tokens, this.selected, doubt);
      const test = this._filter === null ? () => true : tests.of(this._filter);
      const shown = new Uint32Array(this.rows);
      let count = 0;
      for (let row = 0; row < this.rows; row++) {
        if ((this._findingRows === null || this._findingRows[row]) && test(row)) shown[count++] = row;
      }
      return shown.slice(0, count);
    });
  }

  selectionChanged() {
    if (this._filter !== null && FilterTests.usesSelection(this._filter)) this._changed("selection", "filter");
    else for (const listener of this._listeners) listener(new Set(["selection"]));
  }
}

extendReview(ReviewFilter);
