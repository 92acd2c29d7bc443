// The panel of findings: what failed, what the check found by severity, and copies side by side.

const SEVERITY_WORDS = { error: "error", warning: "warning", info: "note" };
/** Rules whose pictures are compared with each other. */
const RULES_OF_COPIES = new Set(["same-picture", "different-captions", "near-duplicates"]);
/** Findings of a rule that are drawn at a time. */
const FINDINGS_AT_ONCE = 30;

/** Fills the container with the findings. Returns `update(what)`. */
function mountFindings(container, review, ui) {
  const panel = new FindingsPanel(review, ui);
  container.append(panel.element);
  return (what) => panel.update(what);
}

class FindingsPanel {
  constructor(review, ui) {
    this.review = review;
    this.ui = ui;
    this.sides = new Set(); // the side-by-side views that are open
    const failures = failuresByReason(review);
    const rules = findingsByRule(review.dataset.findings);
    this.element = h("div", { class: "findings" });
    this.element.append(h("p", { class: "muted", text: inAllWords(failures, rules) }));
    if (failures.length > 0) this.element.append(this.makeFailures(failures));
    for (const severity of Object.keys(SEVERITY_WORDS)) {
      const here = rules.filter((rule) => rule.severity === severity);
      if (here.length > 0) this.element.append(this.makeSeverity(severity, here));
    }
  }

  update(what) {
    if (!what.has("log") && !what.has("captions")) return;
    for (const side of this.sides) side.update();
  }

  makeFailures(failures) {
    const number = failures.reduce((sum, failure) => sum + failure.rows.length, 0);
    const items = failures.map(({ reason, rows }) => {
      const show = () => this.ui.showRows(rows, `failed: ${reason}`);
      return h("li", {}, h("p", { class: "finding-reason", text: reason }), this.showButton(rows, show));
    });
    const heading = h("h2", {
      class: "finding-severity",
      dataset: { severity: "error" },
      text: `${plural(number, "picture")} failed`,
    });
    return h("section", { class: "finding-group" }, heading, h("ul", { class: "finding-list" }, ...items));
  }

  makeSeverity(severity, rules) {
    const number = rules.reduce((sum, rule) => sum + rule.findings.length, 0);
    const heading = h("h2", {
      class: "finding-severity",
      dataset: { severity },
      text: plural(number, SEVERITY_WORDS[severity]),
    });
    return h("section", { class: "finding-group" }, heading, ...rules.map((rule) => this.makeRule(rule)));
  }

  /** A rule: a line to open; what it found is drawn when it is opened. */
  makeRule(rule) {
    const rows = rowsOf(rule.findings);
    const number = rows.length > 0 ? plural(rows.length, "picture") : "the dataset";
    const summary = h(
      "summary",
      {},
      h("span", { class: "finding-rule", text: rule.name }),
      h("span", { class: "badge number", text: number }),
    );
    const details = h("details", { class: "finding-kind" }, summary);
    details.addEventListener("toggle", () => {
      if (details.open && details.children.length === 1) details.append(...this.fillRule(rule, rows));
    });
    return details;
  }

  fillRule(rule, rows) {
    const sameAdvice = rule.findings.every((finding) => finding.advice === rule.findings[0].advice);
    const parts = sameAdvice ? [h("p", { class: "finding-advice", text: rule.findings[0].advice })] : [];
    if (rows.length > 0 && rule.findings.length > 1) {
      parts.push(
        this.showButton(rows, () => this.ui.showRows(rows, rule.name), `Show all ${plural(rows.length, "picture")}`),
      );
    }
    const list = h("ul", { class: "finding-list" });
    const make = (finding) => this.makeFinding(finding, !sameAdvice);
    return [...parts, list, fillInSteps(list, rule.findings, FINDINGS_AT_ONCE, make, "finding")];
  }

  makeFinding(finding, withAdvice) {
    const item = h("li", {}, h("p", { class: "finding-reason", text: finding.reason }));
    if (withAdvice) item.append(h("p", { class: "finding-advice", text: finding.advice }));
    if (finding.rows.length === 0) return item;
    const tools = h("div", { class: "finding-tools" });
    tools.append(
      this.showButton(finding.rows, () => this.ui.showRows(finding.rows, `${finding.rule}: ${finding.reason}`)),
    );
    item.append(tools);
    if (RULES_OF_COPIES.has(finding.rule) && finding.rows.length > 1) this.addSideBySide(item, tools, finding);
    return item;
  }

  addSideBySide(item, tools, finding) {
    let side = null;
    const toggle = button(
      "Side by side",
      () => {
        if (side) {
          this.sides.delete(side);
          side.element.remove();
          side = null;
        } else {
          side = new SideBySide(this.review, this.ui, finding.rows);
          this.sides.add(side);
          item.append(side.element);
        }
        toggle.setAttribute("aria-expanded", String(side !== null));
      },
      { class: "quiet", "aria-expanded": "false" },
    );
    tools.append(toggle);
  }

  showButton(rows, run, text = `Show ${plural(rows.length, "picture")}`) {
    return button(text, run, { class: "quiet finding-show" });
  }
}

/** Adds some items to a list, each an element or several; returns a button that adds more, "" where there are none. */
function fillInSteps(list, items, step, make, noun) {
  let drawn = 0;
  let more = null;
  const add = () => {
    const chunk = items.slice(drawn, drawn + step);
    const next = chunk.flatMap((item) => make(item));
    list.append(...next);
    drawn += chunk.length;
    const left = items.length - drawn;
    if (more && left === 0) {
      next[0]?.querySelector("button")?.focus();
      more.remove();
    } else if (more) more.textContent = `Show more (${plural(left, noun)} left)`;
  };
  add();
  if (drawn === items.length) return "";
  more = button(`Show more (${plural(items.length - drawn, noun)} left)`, add, { class: "quiet" });
  return more;
}

/** [{reason, rows}] of the pictures that failed, the most frequent reason first. */
function failuresByReason(review) {
  const byReason = new Map();
  for (let row = 0; row < review.rows; row += 1) {
    if (review.dataset.status(row) !== "failed") continue;
    const reason = review.dataset.reason(row) || "no reason was written down";
    if (!byReason.has(reason)) byReason.set(reason, []);
    byReason.get(reason).push(row);
  }
  const failures = Array.from(byReason, ([reason, rows]) => ({ reason, rows }));
  return failures.sort((one, other) => other.rows.length - one.rows.length);
}

/** [{name, severity, findings}], in the order in which they come. */
function findingsByRule(findings) {
  const rules = new Map();
  for (const finding of findings) {
    const key = `${finding.severity} ${finding.rule}`;
    if (!rules.has(key)) rules.set(key, { name: finding.rule, severity: finding.severity, findings: [] });
    rules.get(key).findings.push(finding);
  }
  return [...rules.values()];
}

/** All pictures of some findings, each once, in the dataset's order. */
function rowsOf(findings) {
  return [...new Set(findings.flatMap((finding) => finding.rows))].sort((one, other) => one - other);
}

function inAllWords(failures, rules) {
  if (failures.length === 0 && rules.length === 0) return "Nothing failed, and nothing was found.";
  return "As the run left the dataset: later edits do not change what stands here.";
}
