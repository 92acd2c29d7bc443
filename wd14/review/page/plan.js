// The panel of the plan: what became of which tags, with the numbers that decided it, and the pictures that differ.

const DECISIONS = ["folded", "dropped", "ask", "kept"];
const DECISION_HINTS = {
  folded: "the trigger word stands for it",
  dropped: "no caption has it",
  ask: "kept; you may decide",
  kept: "written where the model sees it",
};
/** Lines of the table, and pictures that differ, that are drawn at a time. */
const PLAN_LINES = 200;
const PLAN_COLUMNS = [
  { key: "tag", title: "Tag", compare: (one, other) => compareStrings(one.tag, other.tag) },
  {
    key: "decision",
    title: "Decision",
    compare: (one, other) => DECISIONS.indexOf(one.decision) - DECISIONS.indexOf(other.decision),
  },
  { key: "rows", title: "Pictures", isNumber: true },
  { key: "frequency", title: "Share", isNumber: true },
  { key: "lift", title: "Lift", isNumber: true, hint: "times as frequent as usual" },
];

/** Fills the container with the plan. Returns `update(what)`: the plan itself never changes while the page is open. */
function mountPlan(container, review, ui) {
  const { plan } = review.dataset;
  if (!plan) {
    const text =
      "There is no plan: the run had no purpose and nothing to fold. With --purpose character it would have one.";
    container.append(h("p", { class: "panel-empty", text }));
    return () => {};
  }
  container.append(new PlanPanel(plan, review, ui).element);
  return () => {};
}

class PlanPanel {
  constructor(plan, review, ui) {
    this.plan = plan;
    this.review = review;
    this.ui = ui;
    this.verdicts = new Set();
    this.sortedBy = null;
    this.isDescending = false;
    this.search = h("input", {
      type: "search",
      class: "field",
      placeholder: "Find a decision",
      "aria-label": "Find a decision",
    });
    this.search.addEventListener("input", () => this.draw());
    this.head = h("tr");
    this.body = h("tbody");
    this.more = h("div");
    const caption = h("caption", { class: "visually-hidden", text: "What became of which tags" });
    const table = h("table", { class: "plan-table" }, caption, h("thead", {}, this.head), this.body);
    this.element = h("div", { class: "plan" }, ...this.makeTop(), table, this.more, ...this.makeDiffering());
    this.draw();
  }

  makeTop() {
    const { purpose, notes = [], decisions = [] } = this.plan;
    const parts = [
      h("p", {}, "Purpose: ", h("strong", { text: purpose }), `, ${plural(decisions.length, "decision")}.`),
    ];
    if (notes.length > 0) parts.push(h("ul", { class: "plan-notes" }, ...notes.map((text) => h("li", { text }))));
    const chips = DECISIONS.map((verdict) => this.makeChip(verdict)).filter((chip) => chip !== null);
    parts.push(h("div", { class: "plan-chips", role: "group", "aria-label": "Decisions" }, ...chips), this.search);
    return parts;
  }

  makeChip(verdict) {
    const number = this.plan.decisions.filter((decision) => decision.decision === verdict).length;
    if (number === 0) return null;
    const chip = h("button", { class: "chip", title: DECISION_HINTS[verdict], "aria-pressed": "false" });
    chip.append(`${verdict} `, h("span", { class: "number muted", text: grouped(number) }));
    chip.addEventListener("click", () => {
      if (!this.verdicts.delete(verdict)) this.verdicts.add(verdict);
      chip.setAttribute("aria-pressed", String(this.verdicts.has(verdict)));
      this.draw();
    });
    return chip;
  }

  draw() {
    this.drawHead();
    const shown = this.chosen();
    this.body.replaceChildren();
    this.more.replaceChildren(
      fillInSteps(this.body, shown, PLAN_LINES, (decision) => this.makeLine(decision), "decision"),
    );
  }

  drawHead() {
    const focused = this.head.contains(document.activeElement) ? document.activeElement.textContent : null;
    this.head.replaceChildren(...PLAN_COLUMNS.map((column) => this.makeHeading(column)));
    if (focused) [...this.head.querySelectorAll("button")].find((each) => each.textContent === focused)?.focus();
  }

  makeHeading(column) {
    const isSorted = this.sortedBy === column;
    const direction = this.isDescending ? "descending" : "ascending";
    const sort = () => {
      this.isDescending = isSorted ? !this.isDescending : Boolean(column.isNumber);
      this.sortedBy = column;
      this.draw();
    };
    const press = h("button", { class: "plan-sort", text: column.title, title: column.hint, on: { click: sort } });
    const shape = column.isNumber ? "plan-number" : null;
    return h(
      "th",
      { scope: "col", class: shape, "aria-sort": isSorted ? direction : null, dataset: { column: column.key } },
      press,
    );
  }

  chosen() {
    const wanted = folded(this.search.value.trim());
    const shown = this.plan.decisions.filter((decision) => {
      if (this.verdicts.size > 0 && !this.verdicts.has(decision.decision)) return false;
      return wanted === "" || folded(`${decision.tag} ${decision.rule} ${decision.family ?? ""}`).includes(wanted);
    });
    const column = this.sortedBy;
    if (column === null) return shown;
    const compare = column.compare ?? ((one, other) => (one[column.key] ?? -1) - (other[column.key] ?? -1));
    const sign = this.isDescending ? -1 : 1;
    return shown.sort((one, other) => sign * compare(one, other));
  }

  /** A decision in its line, and why in a second one below. */
  makeLine(decision) {
    const { tag, beside, reason, rule, family, rows, frequency, lift } = decision;
    const show = h("button", { class: "plan-tag", text: beside ? `${tag} beside ${beside}` : tag });
    show.title = "Show the pictures";
    show.addEventListener("click", () => this.ui.setFilterText(this.filterFor(decision)));
    const verdict = h("span", {
      class: "plan-verdict",
      dataset: { verdict: decision.decision },
      text: decision.decision,
    });
    verdict.title = DECISION_HINTS[decision.decision] ?? "";
    const number = (value, inWords) =>
      h("td", { class: "number plan-number", text: isNumber(value) ? inWords(value) : "" });
    const line = h("tr", {}, h("th", { scope: "row" }, show), h("td", {}, verdict));
    line.append(number(rows, grouped), number(beside ? null : frequency, percent), number(lift, liftText));
    const why = [rule, family && family !== rule ? family : null].filter(Boolean).join(", ");
    const words = reason ? `${why}: ${reason}` : why;
    const about = h(
      "tr",
      { class: "plan-reason" },
      h("td", { colspan: PLAN_COLUMNS.length, class: "muted", text: words }),
    );
    return [line, about];
  }

  /** Captions lack a tag that was left out: its pictures are found by the score, from the run's threshold on. */
  filterFor({ tag, beside, decision }) {
    const { review, ui } = this;
    const scored = (name) => {
      const threshold = review.runThresholdOf(name);
      return threshold === undefined || threshold > 1 ? null : `score:${ui.quoted(name)}>=${threshold}`;
    };
    const isWritten = decision === "kept" || decision === "ask";
    const words = [isWritten ? ui.quoted(tag) : (scored(tag) ?? ui.quoted(tag))];
    if (beside) words.push(scored(beside) ?? ui.quoted(beside));
    return words.join(" ");
  }

  makeDiffering() {
    const { differing = [], differing_in_all: inAll = differing.length } = this.plan;
    if (differing.length === 0) return [];
    const showAll = () =>
      this.ui.showRows(
        differing.map((each) => each.row),
        "differ from the others",
      );
    const all = button(`Show ${plural(differing.length, "picture")}`, showAll, { class: "quiet" });
    const list = h("ul", { class: "plan-differing" });
    const more = fillInSteps(list, differing, PLAN_LINES, (each) => this.makeDifferent(each), "picture");
    const others = inAll - differing.length;
    const rest = others > 0 ? h("p", { class: "muted", text: `${plural(others, "more picture")} differ less.` }) : "";
    return [h("h2", { text: "Pictures that differ" }), all, list, more, rest];
  }

  makeDifferent({ row, lacks, instead = [], reason }) {
    const name = this.review.dataset.source(row);
    const has = instead.length > 0 ? `, has ${instead.join(", ")}` : "";
    const open = h("button", { class: "plan-tag", text: name, on: { click: () => this.ui.openRow(row) } });
    return h("li", {}, open, h("p", { class: "muted", text: reason || `lacks ${lacks.join(", ")}${has}` }));
  }
}

function isNumber(value) {
  return value !== null && value !== undefined;
}

/** 0.8269 as "82 %": rounded down, as in the reasons that stand below. */
function percent(share) {
  const whole = Math.floor(share * 100 + 1e-9);
  return whole || !share ? `${whole} %` : "<1 %";
}

function liftText(lift) {
  return lift >= 10 ? grouped(Math.round(lift)) : lift.toFixed(1);
}
