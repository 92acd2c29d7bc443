// What stands below one picture's tags: the caption before with what differs, its findings, its edits.

/** The existing caption and the present one, part by part; without an existing one, what the run wrote. */
function showBefore(section, review, row) {
  const before = review.dataset.before(row);
  const base = review.baseCaption(row);
  const now = review.caption(row);
  const blocks = [];
  if (before !== null && before !== now) blocks.push(...comparison("Before the run, and now", before, now, review));
  if (base !== now && base !== before) blocks.push(...comparison("As the run wrote it, and now", base, now, review));
  section.hidden = blocks.length === 0;
  section.replaceChildren(...blocks);
}

function comparison(title, before, now, review) {
  const { separator } = review.dataset;
  const [old, present] = [splitParts(before, separator), splitParts(now, separator)];
  const sorted = (parts) => parts.map(folded).sort().join(separator);
  const isReordered = sorted(old) === sorted(present);
  return [
    h("h3", { text: isReordered ? `${title}: the same tags in another order` : title }),
    h("p", { class: "compared" }, ...marked(old, present, "del", separator)),
    h("p", { class: "compared" }, ...marked(present, old, "ins", separator)),
  ];
}

/** Parts as text; those that the other caption lacks are marked, by more than a colour. */
function marked(parts, others, tag, separator) {
  if (!parts.length) return [h("span", { class: "muted", text: "no caption" })];
  const known = new Set(others.map(folded));
  return parts.flatMap((text, place) => {
    const node = known.has(folded(text)) ? text : h(tag, { text });
    return place ? [separator.trim() ? separator : " ", node] : [node];
  });
}

function showRowFindings(section, review, row) {
  const findings = review.findingsOf(row);
  section.hidden = findings.length === 0;
  section.replaceChildren(
    h("h3", { text: "Findings" }),
    h(
      "ul",
      { class: "row-findings" },
      ...findings.map((finding) =>
        h(
          "li",
          {},
          h("span", {
            class: `badge ${{ error: "bad", warning: "warn" }[finding.severity] || ""}`,
            text: finding.severity,
          }),
          " ",
          h("strong", { text: finding.rule }),
          " ",
          finding.reason,
          finding.advice ? h("span", { class: "muted", text: ` ${finding.advice}` }) : null,
        ),
      ),
    ),
  );
}

/** The log's entries that name this row, the newest first; each can be taken back, and done again. */
function showRowEdits(section, ui, row) {
  const entries = ui.review.entries.filter((entry) => entry.rows === "all" || entry.rows.includes(row)).reverse();
  section.hidden = entries.length === 0;
  redraw(section, h("h3", { text: "Edits of this picture" }), editList(ui, entries));
}

/** Entries as a list with a button for each. */
function editList(ui, entries) {
  return h("ul", { class: "edit-list" }, ...entries.map((entry) => editLine(ui, entry)));
}

function editLine(ui, entry) {
  const words = editWords(entry);
  const label = entry.undone ? "Do again" : "Take back";
  return h(
    "li",
    { class: entry.undone ? "undone" : null },
    h(
      "span",
      {},
      h("span", { text: words, class: "edit-words" }),
      " ",
      h("span", { class: "muted number", text: rowsWords(entry.rows) + (entry.given ? ", given to the run" : "") }),
      entry.lost?.length
        ? h("span", { class: "warn", text: ` ${plural(entry.lost.length, "picture")} not in this dataset` })
        : null,
    ),
    button(
      label,
      async () => {
        const count = entry.rows === "all" ? ui.review.rows : entry.rows.length;
        const what = { title: `${label}?`, text: `${editInFull(entry, count)}.`, action: label };
        if (count > 1 && !(await ui.confirm(what))) return;
        ui.review.setUndone(entry.id, !entry.undone);
        ui.say(`${entry.undone ? "Taken back" : "Done again"}: ${words}.`);
      },
      { class: "small", "aria-label": `${label}: ${words}` },
    ),
  );
}
