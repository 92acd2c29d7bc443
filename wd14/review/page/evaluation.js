// An evaluation that is kept with the dataset: precision, recall and F1 over the threshold, of a category or of a tag.

const CURVES = [
  { key: "f1", name: "F1" },
  { key: "precision", name: "precision" },
  { key: "recall", name: "recall" },
];

/** [{edge, precision, recall, f1}] of `[support, [kept, …], [right, …]]`; null where nothing is kept. */
function measuresOf(edges, [support, kept, right]) {
  return edges.map((edge, place) => ({
    edge,
    precision: kept[place] > 0 ? right[place] / kept[place] : null,
    recall: support > 0 ? right[place] / support : null,
    f1: kept[place] + support > 0 ? (2 * right[place]) / (kept[place] + support) : null,
  }));
}

/** The points of a curve as an SVG path; a gap where it has no value. */
function curvePath(points, key, place) {
  let path = "";
  let isDown = false;
  for (const point of points) {
    const value = point[key];
    if (value !== null) path += `${isDown ? "L" : "M"}${place(point.edge, value)}`;
    isDown = value !== null;
  }
  return path;
}

/** Curves over the threshold, with the same numbers as a table below them. */
class EvaluationChart {
  /** @param {object} evaluation as `evaluation/kept.py` gives it */
  constructor(evaluation) {
    this.evaluation = evaluation;
    this.choice = h("select", { class: "field", "aria-label": "Category or tag of the curves" });
    this.choice.append(...this.groups());
    this.choice.addEventListener("change", () => this.show());
    this.note = h("p", { class: "muted chart-note" });
    this.drawing = svg("svg", { viewBox: `0 0 ${CHART_WIDTH} ${CHART_HEIGHT}`, class: "chart-drawing", role: "img" });
    this.table = h("tbody");
    this.details = h("details", { class: "chart-numbers" }, h("summary", { text: "The numbers" }), this.makeTable());
    this.details.addEventListener("toggle", () => this.fillTable());
    const caption = h("figcaption", {}, h("h2", { class: "chart-title", text: "Evaluation" }), this.note, this.choice);
    this.element = h("figure", { class: "chart evaluation" }, caption, this.drawing, this.legend(), this.details);
    this.show();
  }

  groups() {
    const { categories, tags } = this.evaluation;
    const options = (kind, curves) => Object.keys(curves).map((name) => h("option", { value: kind + name, text: name }));
    return [
      h("optgroup", { label: "Categories" }, ...options("c", categories)),
      h("optgroup", { label: "Tags, the most frequent first" }, ...options("t", tags)),
    ];
  }

  legend() {
    const parts = CURVES.map(({ key, name }) => {
      const line = svg("svg", { viewBox: "0 0 24 8", class: "chart-key", "aria-hidden": "true" });
      line.append(svg("path", { d: "M0 4H24", class: `curve curve-${key}` }));
      return h("span", {}, line, name);
    });
    return h("p", { class: "muted chart-legend" }, ...parts);
  }

  makeTable() {
    const heads = ["threshold", ...CURVES.map(({ name }) => name)];
    const head = h("tr", {}, ...heads.map((text) => h("th", { scope: "col", text })));
    return h("table", { class: "chart-table" }, h("thead", {}, head), this.table);
  }

  show() {
    const { evaluation } = this;
    const isTag = this.choice.value[0] === "t";
    const name = this.choice.value.slice(1);
    const curve = (isTag ? evaluation.tags : evaluation.categories)[name];
    this.points = measuresOf(evaluation.edges, curve);
    const inUse = isTag ? evaluation.in_use[name] : null;
    const best = isTag ? evaluation.chosen[name] : evaluation.category_thresholds[name];
    this.note.textContent = this.summary(isTag, name, curve[0], inUse, best);
    this.drawing.setAttribute("aria-label", this.note.textContent);
    this.draw(inUse, best);
    this.fillTable();
  }

  summary(isTag, name, support, inUse, best) {
    const { model, pictures } = this.evaluation;
    const where = isTag
      ? `${name} is in ${grouped(support)} of ${plural(pictures, "caption")}`
      : `${name}: ${plural(support, "tag")} in ${plural(pictures, "caption")}`;
    const thresholds = [];
    if (Number.isFinite(inUse)) thresholds.push(`in use ${inUse}`);
    if (Number.isFinite(best)) thresholds.push(`${isTag ? "chosen" : "best"} ${best}`);
    return `${where}. ${thresholds.length ? `Threshold: ${thresholds.join(", ")}. ` : ""}Scores of ${model}.`;
  }

  draw(inUse, best) {
    const width = CHART_WIDTH - CHART_MARGIN.left - CHART_MARGIN.right;
    const ground = CHART_HEIGHT - CHART_MARGIN.bottom;
    const x = (edge) => CHART_MARGIN.left + edge * width;
    const y = (value) => ground - value * (ground - CHART_MARGIN.top);
    const axes = svg("g", { class: "chart-axes" });
    for (const value of [0, 0.5, 1]) {
      const at = { x1: x(0), x2: x(1), y1: y(value), y2: y(value) };
      axes.append(svg("line", { ...at, class: value === 0 ? null : "chart-grid" }));
      axes.append(svg("text", { x: x(0) - 4, y: y(value) + 3, "text-anchor": "end" }, String(value)));
    }
    for (const edge of [0, 0.2, 0.4, 0.6, 0.8, 1]) {
      const anchor = edge === 1 ? "end" : "middle";
      axes.append(svg("text", { x: x(edge), y: ground + 13, "text-anchor": anchor }, edge.toFixed(1)));
    }
    const lines = svg("g", { class: "chart-lines" });
    const upright = (edge, text, isFaint) => {
      if (!Number.isFinite(edge) || edge > 1) return;
      const at = { x1: x(edge), x2: x(edge), y1: CHART_MARGIN.top - 4, y2: ground };
      lines.append(svg("line", { ...at, class: isFaint ? "chart-line-faint" : "chart-line" }, svg("title", {}, text)));
    };
    upright(inUse, `threshold in use: ${inUse}`, true);
    upright(best, `threshold that suits these captions: ${best}`, false);
    const place = (edge, value) => `${x(edge).toFixed(1)} ${y(value).toFixed(1)}`;
    const curves = CURVES.map(({ key, name }) => {
      const path = svg("path", { d: curvePath(this.points, key, place), class: `curve curve-${key}` });
      path.append(svg("title", {}, name));
      return path;
    });
    this.drawing.replaceChildren(axes, lines, ...curves.reverse());
  }

  fillTable() {
    if (!this.details.open) return;
    const cell = (value) => h("td", { class: "number", text: value === null ? "-" : value.toFixed(3) });
    const rows = this.points.map((point) =>
      h("tr", {}, h("th", { scope: "row", text: point.edge.toFixed(2) }), ...CURVES.map(({ key }) => cell(point[key]))),
    );
    this.table.replaceChildren(...rows);
  }
}
