// One picture: large, with its tags, the candidates that are not in its caption, what was there before, and findings.

/** So many candidates are shown before one asks for more. */
const CANDIDATES_SHOWN = 40;

class Detail {
  /**
   * @param {Ui} ui
   * @param {Grid} grid whose order previous and next follow
   */
  constructor(ui, grid) {
    Object.assign(this, { ui, review: ui.review, dataset: ui.review.dataset, grid });
    this.element = byId("detail");
    this.row = null;
    this.showsAll = false;
    this.tags = new TagEditor(ui, () => this.row);
    this.build();
  }

  build() {
    this.previous = button("Previous", () => this.step(-1), { class: "small", title: "← or k" });
    this.next = button("Next", () => this.step(1), { class: "small", title: "→ or j" });
    this.place = h("span", { class: "muted number small" });
    this.title = h("h2", { tabindex: "-1" });
    this.reject = button("Reject", () => this.toggleRejected(), { class: "small", title: "x" });
    const close = button("Close", () => this.ui.closeRow(), { class: "small", title: "Escape" });
    this.figure = h("figure", {});
    this.facts = h("p", { class: "muted small" });
    this.messages = h("div", { class: "messages" });
    this.addField = tagField(
      this.review,
      { "aria-label": "Add a tag to this picture", placeholder: "add a tag", id: "add-tag" },
      () => this.addTyped(),
    );
    this.addField.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.isComposing) this.addTyped();
    });
    this.buildCaption();
    this.candidates = h("section", { "aria-label": "Candidates" });
    this.before = h("section", { "aria-label": "Before" });
    this.findings = h("section", { "aria-label": "Findings of this picture" });
    this.edits = h("section", { "aria-label": "Edits of this picture" });
    this.element.append(
      h("header", { class: "detail-head" }, this.previous, this.next, this.place, this.title, this.reject, close),
      h(
        "div",
        { class: "detail-body" },
        h("div", { class: "detail-picture" }, this.figure, this.facts),
        h(
          "div",
          { class: "detail-side" },
          this.messages,
          this.tags.element,
          h(
            "div",
            { class: "add-line" },
            this.addField.element,
            button("Add", () => this.addTyped()),
          ),
          this.captionBox,
          this.candidates,
          this.before,
          this.findings,
          this.edits,
        ),
      ),
    );
  }

  buildCaption() {
    this.text = h("textarea", {
      class: "field",
      "aria-label": "Caption as text",
      id: "caption-text",
      spellcheck: "false",
    });
    this.text.addEventListener("input", () => this.showCaptionButtons());
    // What was written is not lost when one goes on to another picture.
    this.text.addEventListener("change", () => this.setCaption(this.text.value));
    this.text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.setCaption(this.text.value);
    });
    this.setButton = button("Set caption", () => this.setCaption(this.text.value), {
      class: "small",
      title: "Ctrl+Enter",
    });
    this.baseButton = button("As the run wrote it", () => this.setCaption(this.review.baseCaption(this.row)), {
      class: "small",
    });
    this.captionBox = h(
      "details",
      {},
      h("summary", { text: "Caption as text" }),
      this.text,
      h("div", { class: "actions" }, this.setButton, this.baseButton),
    );
  }

  /** Shows a row. The focus goes to its name, unless one is working in the grid. */
  open(row, { focus = true } = {}) {
    const isAnother = row !== this.row;
    this.row = row;
    this.element.hidden = false;
    if (isAnother) {
      this.showsAll = false;
      this.element.scrollTop = 0;
      this.showPicture();
      this.text.value = this.review.caption(row);
      this.addField.input.value = "";
    }
    this.update();
    if (focus && !this.element.contains(document.activeElement)) this.title.focus({ preventScroll: true });
  }

  close() {
    this.row = null;
    this.element.hidden = true;
    this.figure.replaceChildren();
  }

  /** The row before or behind, in what the filter shows. */
  step(by) {
    const place = this.grid.rows.indexOf(this.row);
    // A picture that the filter shows no longer: its neighbours are those around the active place.
    const target = place < 0 ? this.grid.active : place + by;
    const row = this.grid.rows[target];
    if (row === undefined) this.ui.say(by > 0 ? "This is the last picture shown." : "This is the first picture shown.");
    else this.ui.openRow(row);
  }

  showPicture() {
    const { dataset, row } = this;
    const picture = pictureElement(dataset, row, Infinity);
    picture.removeAttribute("loading");
    const size = dataset.size(row);
    if (picture instanceof HTMLImageElement) {
      picture.alt = `Picture ${dataset.name(row) || dataset.source(row)}`;
      if (size) Object.assign(picture, size); // its room is there before it is loaded
    }
    const address = dataset.picture(row);
    const isShown = picture instanceof HTMLImageElement && address;
    const link = isShown
      ? h(
          "a",
          { href: address, target: "_blank", rel: "noopener noreferrer", title: "Open the picture itself" },
          picture,
        )
      : picture;
    this.figure.replaceChildren(link);
    const facts = [
      size && `${size.width} × ${size.height}`,
      dataset.source(row),
      dataset.sha(row) && `sha256 ${dataset.sha(row).slice(0, 12)}…`,
    ];
    this.facts.textContent = facts.filter(Boolean).join(" · ");
  }

  /** Draws all that an edit, a threshold or the filter may change. */
  update() {
    if (this.row === null) return;
    const { row, review, dataset } = this;
    const place = this.grid.rows.indexOf(row);
    this.place.textContent =
      place < 0 ? "not shown by the filter" : `${grouped(place + 1)} of ${grouped(this.grid.rows.length)}`;
    this.previous.disabled = place === 0;
    this.next.disabled = place === this.grid.rows.length - 1;
    this.title.textContent = dataset.name(row) || dataset.source(row);
    const isRejected = review.isRejected(row);
    this.reject.textContent = isRejected ? "Take back" : "Reject";
    this.reject.setAttribute("aria-pressed", String(isRejected));
    this.element.classList.toggle("is-rejected", isRejected);
    this.showMessages(isRejected);
    this.tags.update();
    this.showCaption();
    this.showCandidates();
    showBefore(this.before, review, row);
    showRowFindings(this.findings, review, row);
    showRowEdits(this.edits, this.ui, row);
  }

  showMessages(isRejected) {
    const { dataset, review, row } = this;
    const lines = [
      dataset.status(row) === "failed" && ["error", `Failed: ${dataset.reason(row)}`],
      isRejected && ["warn", "Rejected: this picture will not be in the dataset."],
      ...dataset.notes(row).map((note) => ["muted", note]),
      review.doubt(row) && ["warn", review.doubt(row)],
      !dataset.rulesMissing &&
        dataset.status(row) !== "failed" &&
        !review.slides(row) && [
          "muted",
          "Thresholds do not move this caption: it does not follow from the scores alone.",
        ],
    ].filter(Boolean);
    this.messages.replaceChildren(...lines.map(([kind, text]) => h("p", { class: kind, text })));
  }

  /** The text field follows the caption, unless somebody is writing in it. */
  showCaption() {
    const caption = this.review.caption(this.row);
    const isTouched = this.text.value !== this.shownCaption && this.shownRow === this.row;
    if (!isTouched) this.text.value = caption;
    this.shownCaption = caption;
    this.shownRow = this.row;
    this.showCaptionButtons();
  }

  showCaptionButtons() {
    const caption = this.review.caption(this.row);
    this.setButton.disabled = this.text.value === caption;
    this.baseButton.disabled = caption === this.review.baseCaption(this.row);
  }

  setCaption(caption) {
    if (caption === this.review.caption(this.row)) return;
    this.shownRow = null; // what stands in the field is taken
    this.ui.edit("set", { caption }, [this.row]);
  }

  async addTyped() {
    const tag = this.addField.input.value.trim();
    if (tag && (await this.ui.edit("add", { tag }, [this.row]))) this.addField.input.value = "";
  }

  showCandidates() {
    const missing = missingCandidates(this.review, this.row);
    const shown = this.showsAll ? missing : missing.slice(0, CANDIDATES_SHOWN);
    const buttons = shown.map((candidate) =>
      candidateButton(candidate, () => this.ui.edit("add", { tag: candidate.name }, [this.row])),
    );
    const more =
      missing.length > shown.length
        ? button(
            `${grouped(missing.length - shown.length)} more`,
            () => {
              this.showsAll = true;
              this.showCandidates();
            },
            { class: "small quiet" },
          )
        : null;
    this.candidates.hidden = missing.length === 0;
    redraw(
      this.candidates,
      h("h3", { text: "Scored, not in the caption" }),
      h("div", { class: "candidates" }, ...buttons, more),
    );
  }

  toggleRejected() {
    toggleRejection(this.ui, [this.row]);
  }

  /** Opens the caption as text, to write in it. */
  editText() {
    this.captionBox.open = true;
    this.text.focus();
  }
}

/** A picture's candidates whose text is not in its caption, best first. */
function missingCandidates(review, row) {
  const present = new Set(review.parts(row).map((part) => folded(part.text)));
  return review.dataset
    .candidates(row)
    .filter((one) => !present.has(folded(one.text || one.name)) && !present.has(folded(one.name)));
}

function candidateButton({ name, text, category, score }, onClick) {
  const element = h(
    "button",
    {
      class: "candidate",
      "data-category": category,
      title: `${name}: ${category}, ${score.toFixed(4)}`,
      on: { click: onClick },
    },
    h("span", { class: "visually-hidden", text: "Add" }),
    h("span", { text: text || name }),
    h("span", { class: "number score", text: scoreText(score) }),
  );
  element.style.setProperty("--score", `${Math.round(score * 100)}%`);
  return element;
}
