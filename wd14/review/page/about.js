// The panel about the dataset: where it comes from, with which options, and the command that brings the edits back.

/** Fills the container. Returns `update(what)`. */
function mountAbout(container, review, ui) {
  const panel = new AboutPanel(review, ui);
  container.append(panel.element);
  panel.update();
  return () => panel.update();
}

class AboutPanel {
  constructor(review, ui) {
    this.review = review;
    this.ui = ui;
    this.counts = h("dl", { class: "about-list" });
    this.command = h("div");
    this.element = h(
      "div",
      { class: "about" },
      h("dl", { class: "about-list" }, ...this.knownPairs()),
      h("h2", { text: "Now" }),
      this.counts,
      h("h2", { text: "To bring the edits back" }),
      h("p", { class: "muted", text: this.howTheyComeBack() }),
      this.command,
      ...this.makeOptions(),
      h("h2", { text: "Keys" }),
      this.makeKeys(),
    );
  }

  howTheyComeBack() {
    const how = "Save the edits as edits.json, then run this";
    return this.review.dataset.about.model
      ? `${how}; the model's scores are stored, so it is quick.`
      : `${how}: every caption stays as it is but for your edits.`;
  }

  knownPairs() {
    const known = this.review.dataset.about;
    return pairs([
      ["Dataset", known.name],
      ["Source", known.source],
      ["Model", known.model],
      ["Made by", known.made_by],
      ["Made at", timeInWords(known.made_at)],
      ["Column", known.caption_column],
    ]);
  }

  makeOptions() {
    const { options } = this.review.dataset.about;
    if (!options) return [];
    const items = options.split("; ").map((text) => h("li", { text }));
    return [h("h2", { text: "Options of the run" }), h("ul", { class: "about-options" }, ...items)];
  }

  makeKeys() {
    const keys = [
      ["↑ ↓", "along the tags of the list; ← → along the buttons of one"],
      ["Alt click", "on a tag: pictures without it"],
      ["right click", "on a tag: remove, replace or add it everywhere"],
    ];
    const lines = keys.flatMap(([key, text]) => [h("dt", {}, h("kbd", { text: key })), h("dd", { text })]);
    const all = button("All keys, and the filter", () => byId("help").click(), { class: "quiet" });
    return h("div", {}, h("dl", { class: "about-list" }, ...lines), all);
  }

  update() {
    const { review } = this;
    const numbers = { captioned: 0, failed: 0, rejected: 0, edited: 0 };
    for (let row = 0; row < review.rows; row += 1) {
      if (review.dataset.status(row) === "failed") numbers.failed += 1;
      else if (review.isRejected(row)) numbers.rejected += 1;
      else numbers.captioned += 1;
      if (review.isEdited(row)) numbers.edited += 1;
    }
    const inForce = review.entries.filter((entry) => !entry.undone).length;
    const shown = [
      ["Pictures", grouped(review.rows)],
      ["Captions", grouped(numbers.captioned)],
      ["Failed", numbers.failed ? grouped(numbers.failed) : null],
      ["Rejected", numbers.rejected ? grouped(numbers.rejected) : null],
      ["Edits", `${grouped(inForce)} (${plural(numbers.edited, "picture")})`],
    ];
    this.counts.replaceChildren(...pairs(shown));
    this.showCommand(commandLine(review));
  }

  showCommand(command) {
    if (command === this.shownCommand) return;
    this.shownCommand = command;
    this.command.replaceChildren(commandBlock(command, (text) => this.ui.say(text)));
  }
}

/** Terms and descriptions; those without a text are left out. */
function pairs(entries) {
  return entries.filter(([, text]) => text).flatMap(([term, text]) => [h("dt", { text: term }), h("dd", { text })]);
}

/** The command that makes the dataset with the edits in a file, and with the thresholds as they stand. */
function commandLine(review, file = "edits.json") {
  const { command, source } = review.dataset.about;
  const words = [command || `wd14-captioner caption ${quotedForShell(source || "SOURCE")}`];
  words.push(`--edits ${quotedForShell(file)}`);
  const moved = review.movedThresholds;
  if (moved) {
    // With the run's own, which the option would replace.
    const all = { ...review.dataset.data.rules?.category_thresholds, ...moved };
    const pairs = Object.entries(all).map(([category, value]) => `${category}=${shownThreshold(value)}`);
    words.push(`--category-thresholds ${quotedForShell(pairs.join(","))}`);
    // Else the model would not use its own for the other categories: some are set now.
    if (review.dataset.data.rules?.prefers_own) words.push("--threshold-mode model");
  }
  const plan = review.dataset.plan && fileBeside("plan.json");
  if (plan) words.push(`--plan ${quotedForShell(plan)}`); // made anew, it could decide otherwise
  return words.join(" ");
}

/** The path of a file beside this page in its dataset's `.wd14`; null where that is not known. */
function fileBeside(name) {
  const path = decodeURIComponent(location.protocol === "file:" ? location.pathname : "");
  const folder = path.match(/^(?:\/(?=[A-Za-z]:))?(.*\/\.wd14\/)[^/]*$/);
  return folder && folder[1] + name;
}

/** A word for a POSIX shell. */
function quotedForShell(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** An ISO time as the reader's system writes it. */
function timeInWords(text) {
  const time = new Date(text ?? "");
  if (Number.isNaN(time.getTime())) return text ?? null;
  return time.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
