// Saving edits.json: into the dataset's folder where the browser can (Chromium), as a download everywhere; opening one.

class Saver {
  /**
   * @param {Review} review
   * @param {Ui} ui
   * @param {Server|null} server
   */
  constructor(review, ui, server) {
    Object.assign(this, { review, ui, server, folder: null });
    this.fileInput = byId("file");
    this.fileInput.addEventListener("change", () => this.openChosen());
  }

  get canUseFolders() {
    return typeof window.showDirectoryPicker === "function";
  }

  /** The Save button: to the server, into the folder chosen before, or by a dialog. */
  async save() {
    if (this.server) await this.saveToServer();
    else if (this.folder) await this.saveTo(this.folder);
    else this.ask();
  }

  async saveToServer() {
    if (await this.server.save()) this.ui.say(`All edits are saved in ${this.server.path || "edits.json"}.`);
  }

  /** Asks where to. */
  ask() {
    const count = this.review.exportEdits().edits.length;
    const buttons = [];
    if (this.canUseFolders) {
      buttons.push(
        button("Save into the dataset's folder…", () => {
          close();
          this.chooseFolder();
        }),
      );
    }
    buttons.push(
      button(
        "Download edits.json",
        () => {
          close();
          this.download();
        },
        { class: "primary" },
      ),
    );
    const where = this.canUseFolders
      ? "Into the dataset's folder, or as a download."
      : "This browser saves files as downloads.";
    const body = [h("p", { text: `${plural(count, "edit")} in edits.json. ${where}` })];
    const { close } = openDialog({ title: "Save the edits", body, buttons, close: "Cancel" });
  }

  nextSteps(words, path) {
    const { doubtful } = this.review;
    const doubt =
      `Of ${plural(doubtful, "caption")} this page cannot say for sure what the command will write:` +
      " the filter is:uncertain shows them, and each says why.";
    const fault = fileFault(editsFileText(this.review), this.review.exportEdits());
    return [
      fault ? h("p", { class: "error", text: fault }) : null,
      h("p", { text: words }),
      commandBlock(commandLine(this.review, path), (text) => this.ui.say(text)),
      doubtful ? h("p", { class: "warn", text: doubt }) : null,
    ];
  }

  download() {
    const address = URL.createObjectURL(new Blob([editsFileText(this.review)], { type: "application/json" }));
    const link = h("a", { href: address, download: "edits.json", hidden: true });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
    this.done(
      "edits.json was downloaded.",
      "To make the dataset with your edits, put it where you ran wd14-captioner before, and run there:",
      "edits.json",
    );
  }

  async chooseFolder() {
    try {
      this.folder = await window.showDirectoryPicker({ id: "wd14-dataset", mode: "readwrite" });
    } catch (error) {
      if (error.name !== "AbortError") this.ui.say(`The folder cannot be used: ${error.message}`, { error: true });
      return;
    }
    await this.saveTo(this.folder);
  }

  /** Writes into `.wd14` of a dataset of ours, else into the folder; another's edits there are not lost unasked. */
  async saveTo(folder) {
    try {
      const place = await editsPlace(folder);
      if (!(await this.mayReplace(place.folder))) return;
      const file = await place.folder.getFileHandle("edits.json", { create: true });
      const stream = await file.createWritable(); // written aside, in place when it is closed
      await stream.write(editsFileText(this.review));
      await stream.close();
      const words = "To make the dataset with your edits, run this in the folder that holds it:";
      this.done(`Saved: ${place.path}.`, words, place.path);
    } catch (error) {
      this.folder = null;
      this.ui.say(`The edits could not be saved there (${error.message}). Choose another folder, or download them.`, {
        error: true,
      });
      this.ask();
    }
  }

  /** Asks where a file there has edits that this page does not know: they can be taken over first. */
  async mayReplace(folder) {
    let text;
    try {
      text = await (await (await folder.getFileHandle("edits.json")).getFile()).text();
    } catch (error) {
      if (error.name === "NotFoundError") return true;
      throw error;
    }
    let entries;
    try {
      entries = entriesOfFile(text);
    } catch (error) {
      return this.ui.confirm({
        title: "Replace edits.json?",
        text: `The one in that folder cannot be read: ${error.message}`,
        action: "Replace it",
      });
    }
    const foreign = this.unknown(entries);
    if (!foreign.length) return true;
    const isWanted = await this.ui.confirm({
      title: "Take over the edits there?",
      action: "Take over and save",
      text:
        `The edits.json in that folder has ${plural(foreign.length, "edit")} that this page does not have.` +
        " They can be taken over; then all are saved.",
    });
    if (isWanted) this.review.merge(foreign);
    return isWanted;
  }

  /**
   * Those that this page lacks. One that has the id of another edit, as where a person changed or copied its line in the
   * file, gets an id of its own.
   */
  unknown(entries) {
    const texts = new Set(this.review.exportEdits().edits.map(wireText));
    const known = new Map(this.review.entries.map((entry) => [entry.id, wireText(this.review.wire(entry))]));
    return entries.flatMap((entry) => {
      const text = wireText(entry);
      if (texts.has(text) || known.get(entry.id) === text) return [];
      const id = known.has(entry.id) ? `file-${hashText(text)}` : entry.id;
      known.set(id, text);
      return [{ ...entry, id }];
    });
  }

  done(text, words, path) {
    this.review.markSaved();
    this.ui.say(text);
    openDialog({ title: "Saved", body: [h("p", { text }), ...this.nextSteps(words, path)] });
  }

  /** The Open button. */
  open() {
    this.fileInput.click();
  }

  async openChosen() {
    const [file] = this.fileInput.files;
    if (!file) return;
    try {
      const entries = this.unknown(entriesOfFile(await file.text()));
      if (entries.length) this.review.merge(entries);
      const lost = new Set(
        this.review.entries
          .filter(({ id }) => entries.some((entry) => entry.id === id))
          .flatMap((entry) => entry.lost || []),
      );
      const more = lost.size ? ` They name ${plural(lost.size, "picture")} that this dataset does not have.` : "";
      this.ui.say(
        entries.length
          ? `${plural(entries.length, "edit")} taken from ${file.name}.${more}`
          : `${file.name} has no edit that is not here already.`,
      );
    } catch (error) {
      this.ui.say(`${file.name}: ${error.message}`, { error: true });
    } finally {
      this.fileInput.value = ""; // the same file again is a change, too
    }
  }
}

/** What an edit with pictures by their sha256 is: the order of those does not matter. */
function wireText({ rows, ...edit }) {
  return editText({ ...edit, rows: rows === "all" ? rows : rows.map((row) => row.toLowerCase()).sort() });
}

/** Where the edits of a dataset in a folder belong, as the command reads them. */
async function editsPlace(folder) {
  if (folder.name === ".wd14") return { folder, path: ".wd14/edits.json" };
  try {
    const hidden = await folder.getDirectoryHandle(".wd14");
    return { folder: hidden, path: `${folder.name}/.wd14/edits.json` };
  } catch (error) {
    if (error.name !== "NotFoundError" && error.name !== "TypeMismatchError") throw error;
    return { folder, path: `${folder.name}/edits.json` };
  }
}
