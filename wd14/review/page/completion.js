// A text field that offers what it could become: tags of the model and texts in use.

let completionCount = 0;

/**
 * Puts a list of suggestions below a field. Arrows choose, Enter or Tab takes, Escape closes the list.
 * @param {HTMLInputElement} input may be in the page already
 * @param {object} how
 * @param {(text: string) => {text: string, count: number, category: string|null}[]} how.find best first
 * @param {(text: string) => void} how.take called with the text that was taken
 * @returns {HTMLElement} what stands where the field stood
 */
function withCompletion(input, { find, take }) {
  return new Completion(input, find, take).element;
}

class Completion {
  constructor(input, find, take) {
    Object.assign(this, { input, find, take, items: [], chosen: -1 });
    this.id = `completion-${++completionCount}`;
    this.list = h("div", { role: "listbox", id: this.id, "aria-label": "Suggestions", hidden: true });
    this.element = h("div", { class: "completion" });
    if (input.parentNode) input.replaceWith(this.element);
    this.element.append(input, this.list);
    setAttributes(input, {
      role: "combobox",
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
      "aria-autocomplete": "list",
      "aria-expanded": "false",
      "aria-controls": this.id,
    });
    input.addEventListener("input", () => this.show(this.find(input.value)));
    input.addEventListener("keydown", (event) => this.onKey(event));
    input.addEventListener("blur", () => this.show([]));
    // A press must not take the focus from the field before the click comes.
    this.list.addEventListener("pointerdown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.taken(Number(option.dataset.place));
    });
  }

  show(items) {
    this.items = items;
    this.list.hidden = items.length === 0;
    this.input.setAttribute("aria-expanded", String(items.length > 0));
    this.list.replaceChildren(...items.map((item, place) => this.option(item, place)));
    this.choose(-1);
  }

  option({ text, count, category }, place) {
    return h(
      "div",
      { role: "option", id: `${this.id}-${place}`, dataset: { place }, "aria-selected": "false" },
      h("span", { text, "data-category": category }),
      h("span", {
        class: "muted number",
        text: count ? grouped(count) : "",
        "aria-label": plural(count || 0, "picture"),
      }),
    );
  }

  choose(place) {
    this.chosen = place;
    for (const [at, option] of [...this.list.children].entries()) {
      option.setAttribute("aria-selected", String(at === place));
      if (at === place) option.scrollIntoView({ block: "nearest" });
    }
    if (place < 0) this.input.removeAttribute("aria-activedescendant");
    else this.input.setAttribute("aria-activedescendant", `${this.id}-${place}`);
  }

  taken(place) {
    const { text } = this.items[place];
    this.show([]);
    this.take(text);
  }

  onKey(event) {
    if (event.isComposing) return;
    if (event.key === "ArrowDown" && !this.items.length) this.show(this.find(this.input.value));
    else if (!this.items.length) return;
    else if (event.key === "ArrowDown") this.choose((this.chosen + 1) % this.items.length);
    else if (event.key === "ArrowUp") this.choose(this.chosen <= 0 ? this.items.length - 1 : this.chosen - 1);
    else if (event.key === "Escape") this.show([]);
    else if (event.key === "Enter" && this.chosen >= 0) this.taken(this.chosen);
    else {
      if (event.key === "Enter") this.show([]); // what was typed is taken
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}

/** A field for a tag, completed over the model's tags and the texts in use. */
function tagField(review, attributes, onTake = null) {
  const input = h("input", { class: "field", type: "text", ...attributes });
  const find = (text) => (text.trim() ? review.complete(text.trim(), 12) : []);
  const take = (text) => {
    input.value = text;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    if (onTake) onTake(text);
  };
  return { input, element: withCompletion(input, { find, take }) };
}
