// Dragging an item of a list to another place, with a mouse, a pen or a finger held down.

/** A pointer that moves less than this, in pixels, is a click. */
const DRAG_START = 6;
/** How long a finger rests on an item before it drags rather than scrolls, in milliseconds. */
const TOUCH_HOLD = 300;

class TagDrag {
  /**
   * @param {HTMLElement} list its items have `data-place`
   * @param {(from: number, to: number) => void} onMove
   */
  constructor(list, onMove) {
    Object.assign(this, { list, onMove, drag: null });
    list.addEventListener("pointerdown", (event) => this.start(event));
    list.addEventListener("pointermove", (event) => this.follow(event));
    list.addEventListener("pointerup", () => this.end(true));
    list.addEventListener("pointercancel", () => this.end(false));
    // A drag ends in a click as well: that one means nothing.
    list.addEventListener("click", (event) => this.swallow(event), { capture: true });
    // While a finger drags, the page must not scroll.
    list.addEventListener(
      "touchmove",
      (event) => {
        if (this.drag?.isMoving) event.preventDefault();
      },
      { passive: false },
    );
  }

  start(event) {
    const item = event.target.closest("li");
    if (!item || event.button !== 0 || event.target.closest(".tag-remove, input")) return;
    this.justDragged = false;
    this.drag = {
      item,
      x: event.clientX,
      y: event.clientY,
      id: event.pointerId,
      isMoving: false,
      isTouch: event.pointerType === "touch",
    };
    if (this.drag.isTouch) this.drag.timer = setTimeout(() => this.begin(), TOUCH_HOLD);
  }

  begin() {
    const { drag } = this;
    if (!drag) return;
    drag.isMoving = true;
    drag.item.classList.add("dragged");
    this.list.setPointerCapture(drag.id);
  }

  follow(event) {
    const { drag } = this;
    if (!drag) return;
    const isFar = Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > DRAG_START;
    if (!drag.isMoving && isFar) {
      if (drag.isTouch)
        this.end(false); // it scrolls
      else this.begin();
    }
    if (this.drag?.isMoving) this.showTarget(event.clientX, event.clientY);
  }

  showTarget(x, y) {
    const item = document.elementFromPoint(x, y)?.closest?.("li[data-place]");
    this.clearTarget();
    if (!item || item.parentNode !== this.list) return;
    const box = item.getBoundingClientRect();
    const isBefore = x < box.left + box.width / 2;
    item.classList.add(isBefore ? "drop-before" : "drop-after");
    const from = Number(this.drag.item.dataset.place);
    const to = Number(item.dataset.place) + (isBefore ? 0 : 1);
    this.drag.to = to > from ? to - 1 : to;
  }

  clearTarget() {
    for (const item of this.list.querySelectorAll(".drop-before, .drop-after"))
      item.classList.remove("drop-before", "drop-after");
  }

  end(isTaken) {
    const { drag } = this;
    if (!drag) return;
    clearTimeout(drag.timer);
    this.drag = null;
    drag.item.classList.remove("dragged");
    this.clearTarget();
    if (!drag.isMoving) return;
    this.justDragged = true;
    if (isTaken && drag.to !== undefined) this.onMove(Number(drag.item.dataset.place), drag.to);
  }

  swallow(event) {
    if (!this.justDragged) return;
    this.justDragged = false;
    event.preventDefault();
    event.stopPropagation();
  }
}
