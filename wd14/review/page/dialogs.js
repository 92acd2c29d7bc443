// Dialogs: the frame of all of them, and the small ones: asking whether, showing a command.

let dialogCount = 0;

/**
 * Opens a dialog in front of the page, with the focus on its primary button, else on its title; the focus goes back to
 * where it was when it closes.
 * @param {object} what
 * @param {string} what.title
 * @param {Node[]} what.body
 * @param {HTMLElement[]} what.buttons besides Close
 * @param {boolean} [what.isWide]
 * @param {string} [what.close] the text of the button that closes
 * @returns {{dialog: HTMLDialogElement, closed: Promise<void>, close: () => void}}
 */
function openDialog({ title, body, buttons = [], isWide = false, close: closeText = "Close" }) {
  const before = document.activeElement;
  const id = `dialog-title-${++dialogCount}`;
  const heading = h("h2", { text: title, id, tabindex: "-1", autofocus: true });
  const form = h(
    "form",
    { method: "dialog", class: "dialog-frame" },
    h("header", {}, heading),
    h("div", { class: "dialog-body" }, ...body),
    h(
      "footer",
      {},
      button(closeText, () => dialog.close()),
      ...buttons,
    ),
  );
  const dialog = h("dialog", { class: isWide ? "wide-dialog" : null, "aria-labelledby": id }, form);
  document.body.append(dialog);
  const closed = new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
      resolve();
    });
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // beside the frame
  });
  dialog.showModal();
  buttons.find((each) => each.matches(".primary"))?.focus();
  return { dialog, closed, close: () => dialog.close() };
}

/** Asks whether to go on. @returns {Promise<boolean>} */
async function confirmDialog({ title, text, action }) {
  let answer = false;
  const yes = h("button", { class: "button primary", text: action });
  yes.type = "submit";
  yes.addEventListener("click", () => {
    answer = true;
  });
  const { closed } = openDialog({ title, body: [h("p", { text })], buttons: [yes], close: "Cancel" });
  await closed;
  return answer;
}

/** A command to copy into a shell, with a button that does it. */
function commandBlock(command, say) {
  // Words in elements of their own: a line may end between them, not behind the hyphens of an option.
  const words = command.split(" ").flatMap((word, place) => [place ? " " : "", h("span", { text: word })]);
  const code = h("code", { tabindex: "0", class: "command" }, ...words);
  const copy = button("Copy", async () => {
    copy.textContent = (await copied(command, code)) ? "Copied" : "Press Ctrl+C";
    say(copy.textContent === "Copied" ? "The command is on the clipboard." : "The command is selected: press Ctrl+C.");
  });
  return h("div", { class: "command-line" }, code, copy);
}

/** Copies a text; where the page may not (some browsers from file://), it is selected instead: false. */
async function copied(text, element) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(element);
    return document.execCommand("copy");
  }
}
