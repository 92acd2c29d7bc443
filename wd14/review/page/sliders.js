// The panel of thresholds: a slider for each category, and what the captions would gain and lose.

/** A threshold above every score: the category is written in no caption. */
const OFF = 2;

/** Fills the container with the sliders. Returns `update(what)`. */
function mountSliders(container, review, ui) {
  const panel = new SlidersPanel(review, ui);
  container.append(panel.element);
  panel.update();
  return () => panel.update();
}

class SlidersPanel {
  constructor(review, ui) {
    this.review = review;
    this.ui = ui;
    this.element = h("div", { class: "sliders" });
    const categories = Object.keys(review.runThresholds);
    if (categories.length === 0) {
      this.sliders = [];
      this.showMissing();
      return;
    }
    this.sliders = categories.map((category) => new ThresholdSlider(this, category));
    this.effect = h("p", { class: "slider-effect", role: "status" });
    this.reset = button("Reset all", () => this.resetAll());
    this.showMoved = button("Show them", () => this.ui.setFilterText("is:moved"), { class: "quiet" });
    const foot = h("div", { class: "slider-foot" }, this.effect, this.showMoved, this.reset);
    this.element.append(...this.sliders.map((slider) => slider.element), foot, this.makeSet(), this.makeWithoutPart());
  }

  /** Why captions cannot follow here, and how the scores lie, where there are some. */
  showMissing() {
    const { dataset } = this.review;
    const text = dataset.rulesMissing || "No scores are known here, so captions cannot follow a threshold.";
    const words = [h("strong", { text: "Thresholds cannot be moved here. " }), h("span", { text })];
    this.element.append(h("p", { class: "slider-missing", id: "slider-missing" }, ...words));
    for (const category of dataset.categories) {
      const slider = new ThresholdSlider(this, category);
      if (slider.strip) this.element.append(slider.element);
    }
  }

  /** A line on the pictures whose captions do not follow the sliders; they never change, so it is made once. */
  makeWithoutPart() {
    const { review, ui } = this;
    let number = 0;
    for (let row = 0; row < review.rows; row += 1) {
      if (review.dataset.status(row) !== "failed" && !review.slides(row)) number += 1;
    }
    if (number === 0) return h("p", { class: "muted", text: "All captions follow the thresholds." });
    const takes = `${plural(number, "caption")} ${number === 1 ? "takes" : "take"} no part`;
    const words = `${takes}: what stands there is not what the thresholds give.`;
    const show = button("Show them", () => ui.setFilterText("is:fixed"), { class: "quiet" });
    return h("div", { class: "slider-without" }, h("p", { class: "muted", text: words }), show);
  }

  /** A line on the tags for which the run was given thresholds. */
  makeSet() {
    const { setTags: names } = this.review;
    if (names.length === 0) return "";
    const some = names.slice(0, 5).join(", ") + (names.length > 5 ? ", …" : "");
    const text = `By name, ${plural(names.length, "tag")} ${names.length === 1 ? "has" : "have"} a threshold: ${some}.`;
    return h("p", { class: "muted slider-set", text });
  }

  resetAll() {
    this.review.resetThresholds();
    this.ui.say("The thresholds are those of the run again.");
  }

  update() {
    if (this.sliders.length === 0) return;
    for (const slider of this.sliders) slider.update();
    const isMoved = this.review.movedThresholds !== null;
    const effect = isMoved ? this.review.thresholdEffect() : { changed: 0 };
    this.reset.disabled = !isMoved;
    this.showMoved.disabled = effect.changed === 0;
    this.effect.textContent = isMoved ? effectInWords(effect) : "Captions are as the run wrote them.";
  }
}

/** "830 captions change: +1,204 −12 tags." */
function effectInWords({ added, removed, changed }) {
  if (changed === 0) return "No caption changes.";
  const numbers = [added > 0 ? `+${grouped(added)}` : "", removed > 0 ? `−${grouped(removed)}` : ""].filter(Boolean);
  const inTags = numbers.length > 0 ? `${numbers.join(" ")} tags` : "the order of tags";
  return `${plural(changed, "caption")} ${changed === 1 ? "changes" : "change"}: ${inTags}.`;
}

class ThresholdSlider {
  /** A slider of a category that has no threshold here cannot be moved. */
  constructor(panel, category) {
    this.panel = panel;
    this.category = category;
    this.run = panel.review.runThresholds[category] ?? null;
    const disabled = this.run === null;
    const id = `slider-${category.replace(/[^a-z0-9]/gi, "-")}`;
    const shared = { min: 0, max: 1, step: 0.01, disabled, "aria-describedby": disabled ? "slider-missing" : null };
    this.range = h("input", { type: "range", id, class: "slider-range", ...shared });
    const inWords = `Threshold of ${category}, as a number`;
    this.field = h("input", { type: "number", class: "field slider-number number", "aria-label": inWords, ...shared });
    this.off = h("input", { type: "checkbox", id: `${id}-off`, disabled });
    this.reset = button("Reset", () => this.set(this.run), { class: "quiet", disabled });
    this.reset.setAttribute("aria-label", `Reset ${category} to ${shownThreshold(this.run)}`);
    this.range.value = "0";
    this.range.addEventListener("input", () => this.set(Number(this.range.value)));
    this.field.addEventListener("input", () => this.setTyped());
    this.field.addEventListener("blur", () => this.update());
    this.off.addEventListener("change", () => this.set(this.off.checked ? OFF : this.lastOn()));
    this.element = this.arrange(id);
  }

  arrange(id) {
    const head = h("div", { class: "slider-head" }, h("label", { for: id, class: "slider-name", text: this.category }));
    head.append(this.field, h("label", { class: "slider-off" }, this.off, "off"), this.reset);
    const element = h("div", { class: "slider", role: "group", "aria-label": `Threshold of ${this.category}` }, head);
    const histogram = this.panel.review.dataset.scoreHistogram(this.category, SCORE_BARS);
    if (histogram.some((number) => number > 0)) {
      this.strip = new ScoreStrip(histogram, this.run);
      element.append(this.strip.element);
    }
    element.append(this.range);
    if (this.panel.review.categoriesByTag.has(this.category)) {
      this.own = h("p", { class: "muted slider-own" });
      element.append(this.own);
    }
    return element;
  }

  /** The value that a category has when it is switched on again. */
  lastOn() {
    return this.run <= 1 ? this.run : 0.5;
  }

  set(value) {
    const { review } = this.panel;
    const exact = Math.round(value * 10000) / 10000;
    if (review.thresholds[this.category] === exact) return;
    review.setThreshold(this.category, exact);
  }

  setTyped() {
    const value = this.field.valueAsNumber;
    const isValid = value >= 0 && value <= 1;
    this.field.setAttribute("aria-invalid", String(!isValid));
    if (isValid) this.set(value);
  }

  update() {
    const value = this.panel.review.thresholds[this.category];
    const isOff = value > 1;
    const shown = Math.min(1, value);
    if (Number(this.range.value) !== shown) this.range.value = String(shown);
    this.range.setAttribute("aria-valuetext", shownThreshold(value));
    if (document.activeElement !== this.field) {
      this.field.value = isOff ? "" : String(value);
      this.field.setAttribute("aria-invalid", "false");
    }
    if (this.own) {
      const isOwn = this.panel.review.hasOwnThresholds(this.category);
      const text = isOwn ? "Each tag has the model's own threshold until you move this." : "One threshold for all tags.";
      if (this.own.textContent !== text) this.own.textContent = text;
    }
    this.off.checked = isOff;
    this.reset.disabled = value === this.run;
    this.strip?.update(value);
  }
}

/** 0.35 as "0.35", a threshold above all scores as "off". */
function shownThreshold(value) {
  if (value === null) return "nothing";
  return value > 1 ? "off" : String(value);
}

/** Small bars above a slider: where the scores of its category lie, and which of them count. */
class ScoreStrip {
  constructor(histogram, run) {
    const most = histogram.reduce((highest, number) => Math.max(highest, number), 1);
    const step = 100 / histogram.length;
    this.bars = Array.from(histogram, (number, index) => {
      const height = number === 0 ? 0 : Math.max(0.6, (Math.log1p(number) / Math.log1p(most)) * 24);
      return svg("rect", { x: index * step + 0.15, y: 24 - height, width: step - 0.3, height });
    });
    const x = Math.min(1, run ?? 0) * 100;
    const mark = svg("line", { x1: x, x2: x, y1: 0, y2: 24, class: run === null ? "slider-no-run" : "slider-run" });
    const shape = { viewBox: "0 0 100 24", preserveAspectRatio: "none", class: "slider-strip", "aria-hidden": "true" };
    this.element = svg("svg", shape, ...this.bars, mark);
    this.first = -1;
  }

  update(threshold) {
    const first = Math.round(threshold * this.bars.length);
    if (first === this.first) return;
    this.first = first;
    this.bars.forEach((bar, index) => bar.classList.toggle("slider-below", index < first));
  }
}
