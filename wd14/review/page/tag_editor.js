// The tags of one picture in their order: remove, replace, move by drag or by keyboard.

class TagEditor {
  /**
   * @param {Ui} ui
   * @param {() => number} row the row that is shown
   */
  constructor(ui, row) {
    Object.assign(this, { ui, review: ui.review, row });
    this.heading = h("h3", {});
    this.list = h("ol", { class: "row-tags", "aria-label": "Tags of this picture, in order" });
    const help = h("p", {
      class: "visually-hidden",
      id: "tags-help",
      text: "Arrow keys move between tags, Enter replaces, Delete removes, Alt and an arrow key moves the tag.",
    });
    this.list.setAttribute("aria-describedby", "tags-help");
    this.element = h("section", { "aria-label": "Tags" }, this.heading, this.list, help);
    this.current = 0;
    this.editing = null;
    this.list.addEventListener("keydown", (event) => this.onKey(event));
    this.list.addEventListener("click", (event) => this.onClick(event));
    this.list.addEventListener("focusin", (event) => this.onFocus(event));
    new TagDrag(this.list, (from, to) => this.move(from, to));
  }

  update() {
    const row = this.row();
    if (this.editing !== null && this.shownRow === row) return; // somebody is typing: drawn when that ends
    const hadFocus = this.list.contains(document.activeElement);
    if (this.shownRow !== row) this.current = 0;
    this.shownRow = row;
    this.editing = null;
    this.parts = this.review.parts(row);
    this.current = Math.min(this.current, Math.max(0, this.parts.length - 1));
    const tokens = this.review.tokens(row);
    this.heading.textContent = [
      plural(this.parts.length, "tag"),
      tokens === null ? "" : `${this.review.tokensAreExact(row) ? "" : "≈ "}${plural(tokens, "token")}`,
    ]
      .filter(Boolean)
      .join(", ");
    this.list.replaceChildren(...this.parts.map((part, place) => this.chip(part, place)));
    this.list.hidden = this.parts.length === 0;
    if (hadFocus) this.focus(this.current);
  }

  chip(part, place) {
    const score = part.score === null ? "" : scoreText(part.score);
    return h(
      "li",
      { class: `tag${part.fromPerson ? " from-person-tag" : ""}`, dataset: { place }, "data-category": part.category },
      h(
        "button",
        {
          class: "tag-text",
          tabindex: place === this.current ? "0" : "-1",
          title: "Enter: replace, Delete: remove, Alt+arrow: move",
        },
        h("span", { text: part.text }),
        score ? h("span", { class: "score number", text: score }) : null,
        part.fromPerson ? h("span", { class: "visually-hidden", text: "from a person" }) : null,
      ),
      h("button", { class: "tag-remove", tabindex: "-1", "aria-label": `Remove ${part.text}`, title: "Remove" }, "×"),
    );
  }

  button(place) {
    return this.list.children[place]?.querySelector(".tag-text");
  }

  focus(place) {
    if (!this.parts.length) {
      byId("add-tag").focus();
      return;
    }
    this.current = Math.min(this.parts.length - 1, Math.max(0, place));
    for (const [at, item] of [...this.list.children].entries()) {
      const text = item.querySelector(".tag-text");
      if (text) text.tabIndex = at === this.current ? 0 : -1;
    }
    this.button(this.current)?.focus();
  }

  onFocus(event) {
    const item = event.target.closest("li");
    if (item && event.target.matches(".tag-text")) this.current = Number(item.dataset.place);
  }

  onClick(event) {
    const item = event.target.closest("li");
    if (!item) return;
    const place = Number(item.dataset.place);
    if (event.target.closest(".tag-remove")) this.remove(place);
    else if (event.target.closest(".tag-text")) this.startReplace(place);
  }

  onKey(event) {
    if (!event.target.matches(".tag-text")) return;
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 };
    const step = steps[event.key];
    if (step && event.altKey) this.move(this.current, this.current + step);
    else if (step && !event.ctrlKey && !event.metaKey) this.focus(this.current + step);
    else if (event.key === "Home") this.focus(0);
    else if (event.key === "End") this.focus(this.parts.length - 1);
    else if (event.key === "Delete" || event.key === "Backspace") this.remove(this.current);
    else if (event.key === "F2") this.startReplace(this.current);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  remove(place) {
    this.current = place;
    this.ui.edit("remove", { tag: this.parts[place].text }, [this.row()]);
  }

  /** Reordering sets the caption: the parts, joined in their new order. */
  move(from, to) {
    if (to < 0 || to >= this.parts.length || from === to) return;
    const texts = this.parts.map((part) => part.text);
    const [text] = texts.splice(from, 1);
    texts.splice(to, 0, text);
    this.current = to;
    this.review.edit("set", { caption: texts.join(this.review.dataset.separator) }, [this.row()]);
    this.ui.say(`Moved “${text}” to place ${to + 1} of ${texts.length}.`, { undo: true });
  }

  /** The tag becomes a field: Enter takes, Escape leaves it as it was. */
  startReplace(place) {
    const { text } = this.parts[place];
    const item = this.list.children[place];
    const field = tagField(this.review, { value: text, "aria-label": `Replace ${text} with`, class: "field" }, () =>
      this.endReplace(true),
    );
    this.editing = { place, text, field };
    this.current = place;
    item.replaceChildren(field.element);
    item.classList.add("editing");
    field.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.isComposing) this.endReplace(true);
      else if (event.key === "Escape") this.endReplace(false);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    field.input.addEventListener("blur", () => this.endReplace(false));
    field.input.focus();
    field.input.select();
  }

  async endReplace(isTaken) {
    if (this.editing === null) return;
    const { place, text, field } = this.editing;
    this.editing = null;
    const other = field.input.value.trim();
    const isChange = isTaken && other !== text;
    if (isChange && other) await this.ui.edit("replace", { tag: text, with: other }, [this.row()]);
    else if (isChange) await this.ui.edit("remove", { tag: text }, [this.row()]);
    const goesOn = isTaken || document.activeElement === field.input;
    this.update();
    if (goesOn) this.focus(place);
  }
}
