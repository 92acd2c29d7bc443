// Talking to the server that sent this page: every edit is saved at once, other pages' edits come in, Apply makes the
// dataset. Without a server (a file that was opened) there is none of this.

const POLL_EVERY = 5000;
const PROGRESS_EVERY = 500;

class Server {
  /**
   * @param {Review} review
   * @param {Ui} ui
   * @param {{token: string, apply: boolean}} data
   */
  constructor(review, ui, data) {
    Object.assign(this, { review, ui, token: data.token, canApply: data.apply, revision: 0, path: "" });
    /** Entry id -> the revision that the server has. */
    this.known = new Map();
    this.post = settled(() => this.save(), 400);
    this.work = Promise.resolve();
  }

  async request(address, body) {
    const headers = { "X-Review-Token": this.token };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const how = {
      method: body === undefined ? "GET" : "POST",
      headers,
      cache: "no-store",
      body: body === undefined ? undefined : JSON.stringify(body),
    };
    let response;
    try {
      response = await fetch(address, how);
    } catch {
      throw new Error(
        "The server does not answer: is `wd14-captioner review --serve` still running? The edits stay in this browser.",
      );
    }
    const answer = await response
      .json()
      .catch(() => ({ error: `The server answered with status ${response.status}.` }));
    if (!response.ok) throw new Error(answer.error || `The server answered with status ${response.status}.`);
    return answer;
  }

  /** Takes over what the file has, then listens to changes here and asks for those of other pages. */
  async start() {
    await this.fetchEdits();
    this.review.onChange((what) => {
      if (what.has("log") && this.unsent().length) this.post();
    });
    if (this.unsent().length) this.post();
    setInterval(() => {
      if (!document.hidden) this.fetchEdits();
    }, POLL_EVERY);
  }

  async fetchEdits() {
    try {
      this.taken(await this.request(`edits?since=${this.revision}`));
      this.isAway = false;
    } catch (error) {
      if (!this.isAway) this.ui.say(error.message, { error: true });
      this.isAway = true;
    }
  }

  /** An answer with entries: those of others are merged, and the server's revisions noted. */
  taken({ entries, revision, path }) {
    this.revision = revision ?? this.revision;
    this.path = path || this.path;
    for (const entry of entries) this.known.set(entry.id, Math.max(entry.rev, this.known.get(entry.id) ?? -1));
    if (entries.length && this.review.merge(entries).length)
      this.ui.say(`${plural(entries.length, "edit")} taken from ${this.path || "the server"}.`);
    if (!this.unsent().length) this.markSaved();
  }

  markSaved() {
    if (this.review.unsaved) this.review.markSaved();
  }

  unsent() {
    return this.review.entries.filter((entry) => (this.known.get(entry.id) ?? -1) < entry.rev);
  }

  /**
   * Sends what the server does not have, one request after another.
   * @returns {Promise<boolean>} whether all is saved
   */
  save() {
    this.work = this.work.then(() => this.sendAll());
    return this.work;
  }

  async sendAll() {
    try {
      for (const entry of this.unsent()) {
        const { rev } = entry;
        const answer = await this.request("edits", { entries: [this.review.wire(entry)], since: this.revision });
        this.known.set(entry.id, rev);
        this.taken(answer);
      }
      return true;
    } catch (error) {
      this.ui.say(error.message, { error: true });
      return false;
    }
  }

  /** Apply: asks, saves, starts, and shows how far it is. */
  async apply() {
    const count = this.review.exportEdits().edits.length;
    const moved = this.review.movedThresholds ?? {};
    const thresholds = Object.entries(moved)
      .map(([category, value]) => `${category} ${shownThreshold(value)}`)
      .join(", ");
    const edits = plural(count, "edit") + (thresholds ? ` and these thresholds: ${thresholds}` : "");
    const text = `The dataset is made anew with ${edits}. The present one stays as it is.`;
    if (!(await this.ui.confirm({ title: "Make the dataset with these edits?", text, action: "Apply" }))) return;
    if (!(await this.save())) return;
    try {
      await this.request("apply", { thresholds: moved });
    } catch (error) {
      this.ui.say(error.message, { error: true });
      return;
    }
    await this.showProgress();
  }

  async showProgress() {
    const line = h("p", { role: "status", class: "number" });
    const bar = h("progress", { "aria-label": "Progress" });
    const { dialog } = openDialog({ title: "Making the dataset", body: [line, bar], close: "Go on in the background" });
    let state;
    do {
      await new Promise((resolve) => {
        setTimeout(resolve, PROGRESS_EVERY);
      });
      try {
        state = await this.request("apply");
      } catch (error) {
        state = { state: "failed", error: error.message };
      }
      const { done = 0, total = null, text = "" } = state;
      if (total) Object.assign(bar, { max: total, value: done });
      line.textContent = text || (total ? `${grouped(done)} of ${plural(total, "picture")}` : "");
    } while (state.state === "running");
    dialog.close();
    this.finished(state);
  }

  finished({ state, text, output, error }) {
    const isDone = state === "done";
    const words = isDone
      ? `The dataset is made${output ? `: ${output}` : ""}.`
      : `The dataset was not made: ${error || text || state}`;
    this.ui.say(words, { error: !isDone });
    openDialog({
      title: isDone ? "Done" : "Not done",
      body: [h("p", { text: words }), isDone && text ? h("p", { class: "muted", text }) : h("p")],
    });
  }
}
