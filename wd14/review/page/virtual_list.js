// A long list of which only the lines in view are elements: 10,000 tags cost as much as 40.

/** Lines that are drawn above and below those in view, so that scrolling shows no gap. */
const SPARE_LINES = 8;

/**
 * A list of lines of one height.
 *
 * Arrow keys, Page Up, Page Down, Home and End move along the lines, left and right along the controls of a line. One
 * control of the whole list is in the tab order.
 */
class VirtualList {
  /**
   * @param {string} label what the list holds, for screen readers
   * @param {function(): HTMLElement} makeLine an empty line; its controls are its buttons
   * @param {function(HTMLElement, Object)} fillLine writes an entry into a line that may have shown another one
   */
  constructor(label, makeLine, fillLine) {
    this.makeLine = makeLine;
    this.fillLine = fillLine;
    this.entries = [];
    this.active = 0;
    this.column = 0;
    this.lines = [];
    this.height = 0;
    this.space = h("div", { class: "lines-space", role: "list", "aria-label": label });
    this.element = h("div", { class: "lines" }, this.space);
    this.element.addEventListener("scroll", () => this.draw(), { passive: true });
    this.element.addEventListener("keydown", (event) => this.move(event));
    this.space.addEventListener("focusin", (event) => this.follow(event.target));
    new ResizeObserver(() => this.draw()).observe(this.element);
    this.sortSoon = settled(() => this.sortLines(), 150);
  }

  /** Shows other entries. The place in the list stays, as far as there are so many. */
  show(entries) {
    this.entries = entries;
    this.active = Math.max(0, Math.min(this.active, entries.length - 1));
    for (const line of this.lines) line.shownEntry = null;
    this.draw();
  }

  /** Writes the lines in view anew. Costs the same for any number of entries. */
  draw() {
    this.measure();
    const { scrollTop, clientHeight } = this.element;
    if (clientHeight === 0 || this.height === 0) return;
    this.space.style.height = `${this.entries.length * this.height}px`;
    const first = Math.max(0, Math.floor(scrollTop / this.height) - SPARE_LINES);
    const last = Math.min(this.entries.length, Math.ceil((scrollTop + clientHeight) / this.height) + SPARE_LINES);
    while (this.lines.length < last - first) this.addLine();
    const unused = this.unusedLines(first, last);
    for (let index = first; index < last; index += 1) this.drawLine(index, unused);
    for (const line of unused) line.hidden = true;
    this.sortSoon();
  }

  measure() {
    if (this.height > 0 || this.entries.length === 0) return;
    const line = this.addLine();
    this.fillLine(line, this.entries[0]);
    this.height = line.offsetHeight;
  }

  addLine() {
    const line = this.makeLine();
    line.index = -1;
    this.lines.push(line);
    this.space.append(line);
    return line;
  }

  /** Lines that show none of first..last; also tells the others apart by their index. */
  unusedLines(first, last) {
    this.byIndex = new Map();
    const unused = [];
    for (const line of this.lines) {
      if (line.index >= first && line.index < last && !this.byIndex.has(line.index)) this.byIndex.set(line.index, line);
      else unused.push(line);
    }
    return unused;
  }

  drawLine(index, unused) {
    const line = this.byIndex.get(index) ?? unused.pop();
    if (line.index !== index || line.shownEntry !== this.entries[index]) {
      line.index = index;
      line.shownEntry = this.entries[index];
      line.style.transform = `translateY(${index * this.height}px)`;
      line.setAttribute("aria-setsize", this.entries.length);
      line.setAttribute("aria-posinset", index + 1);
      this.fillLine(line, this.entries[index]);
    }
    line.hidden = false;
    this.controls(line).forEach((control, column) => {
      control.tabIndex = index === this.active && column === this.column ? 0 : -1;
    });
  }

  /** Puts the elements into the order that is seen, for screen readers; the focused one stays where it is. */
  sortLines() {
    const sorted = this.lines.filter((line) => !line.hidden).sort((one, other) => one.index - other.index);
    const isInOrder = (line, at) =>
      at === 0 || sorted[at - 1].compareDocumentPosition(line) & Node.DOCUMENT_POSITION_FOLLOWING;
    if (sorted.every(isInOrder)) return;
    const focused = sorted.findIndex((line) => line.contains(document.activeElement));
    sorted.forEach((line, at) => {
      if (at < focused) sorted[focused].before(line);
      else if (at > focused) this.space.append(line);
    });
  }

  controls(line) {
    return [...line.querySelectorAll("button")];
  }

  /** The entry whose line holds an element. */
  entryOf(element) {
    return element.closest("[aria-posinset]")?.shownEntry ?? null;
  }

  follow(control) {
    const line = control.closest("[aria-posinset]");
    if (!line) return;
    this.active = line.index;
    this.column = Math.max(0, this.controls(line).indexOf(control));
    this.draw();
  }

  move(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || this.entries.length === 0) return;
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.height) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const sides = { ArrowLeft: -1, ArrowRight: 1 };
    if (event.key in steps) this.active = this.active + steps[event.key];
    else if (event.key in sides) this.column = this.column + sides[event.key];
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.focusActive();
  }

  /** Puts the focus on the active line, scrolled into view. */
  focusActive() {
    this.active = Math.max(0, Math.min(this.active, this.entries.length - 1));
    const top = this.active * this.height;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + this.height > scrollTop + clientHeight) this.element.scrollTop = top + this.height - clientHeight;
    this.draw();
    const line = this.lines.find((each) => each.index === this.active && !each.hidden);
    const controls = line ? this.controls(line) : [];
    this.column = Math.max(0, Math.min(this.column, controls.length - 1));
    controls[this.column]?.focus({ preventScroll: true });
  }
}
