// A list of numbers for each row, in one array: 30,000 small arrays would take longer to make than to fill.

class RowLists {
  /**
   * @param {Uint32Array} items all lists, one behind the other
   * @param {Uint32Array} ends where each row's list ends
   */
  constructor(items, ends) {
    this.items = items;
    this.starts = new Uint32Array(ends.length);
    this.lengths = new Uint32Array(ends.length);
    for (let row = 0; row < ends.length; row++) {
      this.starts[row] = row === 0 ? 0 : ends[row - 1];
      this.lengths[row] = ends[row] - this.starts[row];
    }
    this._room = this.lengths.slice(); // places that a row has
    this._used = items.length;
  }

  copy() {
    const copied = new RowLists(this.items.slice(), new Uint32Array(0));
    copied.starts = this.starts.slice();
    copied.lengths = this.lengths.slice();
    copied._room = this._room.slice();
    copied._used = this._used;
    return copied;
  }

  /** A row's list; only to be read, and only until the next `set`. */
  get(row) {
    return this.items.subarray(this.starts[row], this.starts[row] + this.lengths[row]);
  }

  /** Whether a row's list is that of another table. */
  equals(row, other) {
    const length = this.lengths[row];
    if (length !== other.lengths[row]) return false;
    const start = this.starts[row];
    const otherStart = other.starts[row];
    for (let i = 0; i < length; i++) if (this.items[start + i] !== other.items[otherStart + i]) return false;
    return true;
  }

  /** Replaces a row's list by the first `length` numbers of `from`. */
  set(row, from, length) {
    if (length > this._room[row]) this._move(row, length);
    const { items } = this;
    const start = this.starts[row];
    for (let i = 0; i < length; i++) items[start + i] = from[i];
    this.lengths[row] = length;
  }

  /** Replaces a row's list by that of another table. */
  copyRow(row, other) {
    const length = other.lengths[row];
    if (length > this._room[row]) this._move(row, length);
    const { items } = this;
    const from = other.items;
    const [start, otherStart] = [this.starts[row], other.starts[row]];
    for (let i = 0; i < length; i++) items[start + i] = from[otherStart + i];
    this.lengths[row] = length;
  }

  // Gives a row a place of its own at the end.
  _move(row, length) {
    const room = length + 8;
    if (this._used + room > this.items.length) this._grow(room);
    this.starts[row] = this._used;
    this._room[row] = room;
    this._used += room;
  }

  // Moves what is in use into a larger array.
  _grow(more) {
    let needed = more;
    for (let row = 0; row < this.lengths.length; row++) needed += this._room[row];
    const items = new Uint32Array(needed + (needed >> 1) + 1024);
    let at = 0;
    for (let row = 0; row < this.lengths.length; row++) {
      items.set(this.get(row), at);
      this.starts[row] = at;
      at += this._room[row];
    }
    this.items = items;
    this._used = at;
  }
}
