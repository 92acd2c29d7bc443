// The panel of charts: how frequent tags are, how long captions are, how the model's scores lie about a threshold, and
// how an evaluation that is kept with the dataset came out.

/** Bars of a histogram of scores: each 0.02 wide. */
const SCORE_BARS = 50;

const CHART_WIDTH = 320;
const CHART_HEIGHT = 120;
const CHART_MARGIN = { left: 34, right: 6, top: 8, bottom: 20 };

/**
 * A bar chart, with the same numbers as a table below it.
 *
 * Heights are logarithmic where `logarithmic` says so (log of 1 + n): a few very high bars leave the others visible.
 */
class BarChart {
  /** @param {{title: string, axis: string, logarithmic?: boolean}} words */
  constructor({ title, axis, logarithmic = false }) {
    this.axis = axis;
    this.logarithmic = logarithmic;
    this.caption = h("figcaption", {}, h("h2", { class: "chart-title", text: title }));
    this.note = h("p", { class: "muted chart-note" });
    this.caption.append(this.note);
    this.drawing = svg("svg", { viewBox: `0 0 ${CHART_WIDTH} ${CHART_HEIGHT}`, class: "chart-drawing", role: "img" });
    this.bars = svg("g", { class: "chart-bars" });
    this.lines = svg("g", { class: "chart-lines" });
    this.axes = svg("g", { class: "chart-axes" });
    this.drawing.append(this.axes, this.bars, this.lines);
    this.table = h("tbody");
    this.details = h("details", { class: "chart-numbers" }, h("summary", { text: "The numbers" }), this.makeTable());
    this.details.addEventListener("toggle", () => this.fillTable());
    this.element = h("figure", { class: "chart" }, this.caption, this.drawing, this.details);
  }

  makeTable() {
    const head = h("tr", {}, h("th", { scope: "col", text: this.axis }), h("th", { scope: "col", text: "number" }));
    return h("table", { class: "chart-table" }, h("thead", {}, head), this.table);
  }

  /**
   * @param {{label: string, number: number, tick?: string}[]} bars from left to right
   * @param {string} summary one sentence that says what is to be seen
   */
  show(bars, summary) {
    this.shown = bars;
    this.note.textContent = summary;
    this.drawing.setAttribute("aria-label", summary);
    const most = bars.reduce((highest, bar) => Math.max(highest, bar.number), 1);
    this.drawAxes(bars, most);
    this.drawBars(bars, most);
    this.fillTable();
  }

  /** The height of a number above the axis, in the drawing's units. */
  high(number, most) {
    const room = CHART_HEIGHT - CHART_MARGIN.top - CHART_MARGIN.bottom;
    const share = this.logarithmic ? Math.log1p(number) / Math.log1p(most) : number / most;
    return share * room;
  }

  drawBars(bars, most) {
    const room = CHART_WIDTH - CHART_MARGIN.left - CHART_MARGIN.right;
    const step = room / Math.max(1, bars.length);
    const gap = Math.min(2, step / 5);
    const drawn = bars.map((bar, index) => {
      const height = this.high(bar.number, most);
      const box = { x: CHART_MARGIN.left + index * step + gap / 2, y: CHART_HEIGHT - CHART_MARGIN.bottom - height };
      const rect = svg("rect", { ...box, width: Math.max(0.5, step - gap), height });
      rect.append(svg("title", {}, `${bar.label}: ${grouped(bar.number)}`));
      return rect;
    });
    this.bars.replaceChildren(...drawn);
  }

  drawAxes(bars, most) {
    const ground = CHART_HEIGHT - CHART_MARGIN.bottom;
    const right = CHART_WIDTH - CHART_MARGIN.right;
    const step = (right - CHART_MARGIN.left) / Math.max(1, bars.length);
    const drawn = [svg("line", { x1: CHART_MARGIN.left, x2: right, y1: ground, y2: ground })];
    for (const number of heightTicks(most, this.logarithmic)) {
      const y = ground - this.high(number, most);
      drawn.push(svg("line", { x1: CHART_MARGIN.left, x2: right, y1: y, y2: y, class: "chart-grid" }));
      drawn.push(svg("text", { x: CHART_MARGIN.left - 4, y: y + 3, "text-anchor": "end" }, shortNumber(number)));
    }
    bars.forEach((bar, index) => {
      if (!bar.tick) return;
      const x = CHART_MARGIN.left + (index + (bar.tickAtEdge ? 0 : 0.5)) * step;
      drawn.push(svg("text", { x, y: ground + 13, "text-anchor": "middle" }, bar.tick));
    });
    this.axes.replaceChildren(...drawn);
  }

  /** Upright lines at shares 0..1 of the width: `[{at, name, faint}]`. */
  showLines(lines) {
    const room = CHART_WIDTH - CHART_MARGIN.left - CHART_MARGIN.right;
    const drawn = lines.map(({ at, name, faint }) => {
      const x = CHART_MARGIN.left + Math.max(0, Math.min(1, at)) * room;
      const line = svg("line", { x1: x, x2: x, y1: CHART_MARGIN.top - 4, y2: CHART_HEIGHT - CHART_MARGIN.bottom });
      line.setAttribute("class", faint ? "chart-line-faint" : "chart-line");
      line.append(svg("title", {}, name));
      return line;
    });
    this.lines.replaceChildren(...drawn);
  }

  fillTable() {
    if (!this.details.open || !this.shown) return;
    const rows = this.shown.map((bar) =>
      h("tr", {}, h("th", { scope: "row", text: bar.label }), h("td", { class: "number", text: grouped(bar.number) })),
    );
    this.table.replaceChildren(...rows);
  }
}

/** Two or three numbers for the height axis. */
function heightTicks(most, logarithmic) {
  if (most <= 1) return [1];
  if (!logarithmic) return [Math.ceil(most / 2), most];
  const middle = 10 ** Math.floor(Math.log10(most) / 2);
  return middle > 1 && middle < most ? [1, middle, most] : [1, most];
}

/** 1234 as "1.2k", for axes only. */
function shortNumber(number) {
  if (number < 1000) return String(number);
  if (number < 1_000_000) return `${Number((number / 1000).toPrecision(2))}k`;
  return `${Number((number / 1_000_000).toPrecision(2))}M`;
}

/** Numbers of tags by how many pictures have them: 1, 2-3, 4-7, … */
function frequencyBars(counts) {
  const numbers = [];
  for (const count of counts) {
    if (count <= 0) continue;
    const bin = 31 - Math.clz32(count);
    numbers[bin] = (numbers[bin] ?? 0) + 1;
  }
  return Array.from(numbers, (number, bin) => {
    const from = 2 ** bin;
    const label = bin === 0 ? "1 picture" : `${grouped(from)} to ${grouped(2 * from - 1)} pictures`;
    return { label, number: number ?? 0, tick: bin % 2 === 0 || numbers.length < 8 ? shortNumber(from) : "" };
  });
}

/** The bars of a histogram of scores 0..1. */
function scoreBars(histogram) {
  return Array.from(histogram, (number, index) => {
    const from = index / histogram.length;
    const to = (index + 1) / histogram.length;
    const tick = index % (histogram.length / 5) === 0 ? from.toFixed(1) : "";
    return { label: `${from.toFixed(2)} to ${to.toFixed(2)}`, number, tick, tickAtEdge: true };
  });
}

/** Fills the container with the charts. Returns `update(what)`. */
function mountCharts(container, review) {
  const panel = new ChartsPanel(review);
  container.append(panel.element);
  panel.update(new Set(["captions", "thresholds"]));
  return (what) => panel.update(what);
}

class ChartsPanel {
  constructor(review) {
    this.review = review;
    this.frequencies = new BarChart({ title: "How frequent tags are", axis: "on", logarithmic: true });
    this.lengths = new BarChart({ title: "Tags in a caption", axis: "tags" });
    this.scores = new BarChart({ title: "Scores", axis: "score", logarithmic: true });
    this.category = h("select", { class: "field", "aria-label": "Category of the scores" });
    this.category.addEventListener("change", () => this.drawScores());
    this.element = h("div", { class: "charts" }, this.frequencies.element, this.lengths.element);
    if (review.dataset.hasCandidates) this.addScores();
    const { evaluation } = review.dataset;
    if (evaluation) this.element.append(new EvaluationChart(evaluation).element);
  }

  addScores() {
    this.histograms = scoreHistograms(this.review);
    const names = [...this.histograms.keys()];
    if (names.length === 0) return;
    this.category.append(...names.map((name) => h("option", { value: name, text: name })));
    this.scores.caption.append(this.category);
    this.element.append(this.scores.element);
  }

  update(what) {
    if (what.has("captions") || what.has("log") || what.has("thresholds")) this.drawCaptions();
    if (this.category.value && (what.has("thresholds") || !this.scores.shown)) this.drawScores();
  }

  drawCaptions() {
    const counts = [...this.review.tagCounts().values()].filter((count) => count > 0);
    const once = counts.filter((count) => count === 1).length;
    const most = counts.reduce((highest, count) => Math.max(highest, count), 0);
    const parts = [`${plural(counts.length, "tag")}, ${grouped(once)} on one picture only`];
    parts.push(`the most frequent is on ${plural(most, "picture")}.`);
    const summary = parts.join("; ");
    this.frequencies.show(frequencyBars(counts), summary);
    this.drawLengths();
  }

  drawLengths() {
    const { bars, summary } = lengthBars(this.review.partLengths());
    this.lengths.show(bars, summary);
  }

  drawScores() {
    const { review } = this;
    const category = this.category.value;
    const histogram = this.histograms.get(category);
    const threshold = review.thresholds[category];
    const total = histogram.reduce((sum, number) => sum + number, 0);
    let summary = `${grouped(total)} scores of at least ${review.dataset.floor}`;
    const lines = [];
    if (review.hasOwnThresholds(category)) summary += "; each tag has a threshold of its own";
    else if (threshold !== undefined && threshold <= 1) {
      summary += `, ${grouped(numberAbove(histogram, threshold))} at or above the threshold ${threshold}`;
      const ran = review.runThresholds[category];
      if (ran !== threshold && ran <= 1) lines.push({ at: ran, name: `threshold of the run: ${ran}`, faint: true });
      lines.push({ at: threshold, name: `threshold: ${threshold}` });
    }
    this.scores.show(scoreBars(histogram), `${summary}.`);
    this.scores.showLines(lines);
  }
}

/** category -> histogram, of the categories of which there are scores; those with a threshold first. */
function scoreHistograms({ dataset, runThresholds }) {
  const withThreshold = Object.keys(runThresholds);
  const others = dataset.categories.filter((name) => !withThreshold.includes(name));
  const histograms = [...withThreshold, ...others].map((name) => [name, dataset.scoreHistogram(name, SCORE_BARS)]);
  return new Map(histograms.filter(([, histogram]) => histogram.some((number) => number > 0)));
}

/** How many scores of a histogram lie at or above a threshold; exact where the threshold is at the edge of a bar. */
function numberAbove(histogram, threshold) {
  const first = Math.round(threshold * histogram.length);
  return histogram.subarray(first).reduce((sum, number) => sum + number, 0);
}

/** At most 40 bars of how many captions have which length, and a sentence. Rows without a caption have length 0. */
function lengthBars(lengths) {
  const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
  const width = Math.max(1, Math.ceil(longest / 40));
  const numbers = new Uint32Array(Math.ceil(longest / width));
  let tags = 0;
  for (const length of lengths) {
    tags += length;
    if (length > 0) numbers[Math.floor((length - 1) / width)] += 1;
  }
  const captions = numbers.reduce((sum, number) => sum + number, 0);
  const bars = Array.from(numbers, (number, index) => {
    const from = index * width + 1;
    const label = width === 1 ? String(from) : `${from} to ${from + width - 1}`;
    return { label, number, tick: index % 5 === 4 || index === 0 ? String(from) : "" };
  });
  const mean = captions === 0 ? "0" : (tags / captions).toFixed(1);
  return { bars, summary: `${plural(captions, "caption")} with ${mean} tags on average, ${longest} at most.` };
}
