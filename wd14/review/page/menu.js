// A small menu beside a button: arrows move, a letter jumps, Enter chooses, Escape and a click elsewhere close it.

let closeOpenMenu = () => {};

/**
 * Opens a menu, and closes the one that was open.
 *
 * @param {HTMLElement} anchor the button that it belongs to; has the focus again when the menu closes
 * @param {{label: string, run: function(), disabled?: boolean}[]} entries
 * @param {string} label what the menu is about, for screen readers
 */
function openMenu(anchor, entries, label) {
  closeOpenMenu();
  const menu = h("div", { class: "menu", role: "menu", "aria-label": label });
  let isOpen = true;
  const close = (focusAnchor) => {
    if (!isOpen) return; // taking the focused item away closes once more
    isOpen = false;
    menu.remove();
    anchor.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", closeElsewhere, true);
    window.removeEventListener("resize", closeQuietly);
    closeOpenMenu = () => {};
    if (focusAnchor && anchor.isConnected) anchor.focus();
  };
  const closeQuietly = () => close(false);
  const closeElsewhere = (event) => {
    if (!menu.contains(event.target)) close(false);
  };
  for (const entry of entries) menu.append(menuItem(entry, close));
  menu.addEventListener("keydown", (event) => moveInMenu(event, menu, close));
  menu.addEventListener("focusout", (event) => {
    if (!menu.contains(event.relatedTarget)) closeQuietly();
  });
  document.addEventListener("pointerdown", closeElsewhere, true);
  window.addEventListener("resize", closeQuietly);
  anchor.setAttribute("aria-expanded", "true");
  closeOpenMenu = closeQuietly;
  (anchor.closest("aside, main, dialog") ?? document.body).append(menu); // a panel would cut it off
  placeMenu(menu, anchor);
  menu.querySelector("button:not(:disabled)")?.focus();
}

function menuItem(entry, close) {
  const run = () => {
    close(true);
    entry.run();
  };
  return h("button", {
    role: "menuitem",
    tabindex: "-1",
    class: "menu-item",
    text: entry.label,
    disabled: Boolean(entry.disabled),
    on: { click: run },
  });
}

function moveInMenu(event, menu, close) {
  const items = [...menu.querySelectorAll("button:not(:disabled)")];
  const at = items.indexOf(document.activeElement);
  const step = { ArrowDown: at + 1, ArrowUp: at - 1 + items.length, Home: 0, End: items.length - 1 }[event.key];
  if (event.key === "Escape" || event.key === "Tab") close(true);
  else if (step !== undefined) items[step % items.length]?.focus();
  else if (event.key.length === 1 && /\p{L}/u.test(event.key)) {
    const letter = event.key.toLowerCase();
    const after = [...items.slice(at + 1), ...items.slice(0, at + 1)];
    after.find((item) => item.textContent.toLowerCase().startsWith(letter))?.focus();
  } else return leaveEnterAlone(event);
  event.preventDefault();
  event.stopPropagation();
}

/** Keys that press the item are the browser's own; none reaches the shortcuts of the page. */
function leaveEnterAlone(event) {
  event.stopPropagation();
}

/** Below the anchor, or above it where there is no room; always inside the window. */
function placeMenu(menu, anchor) {
  const box = anchor.getBoundingClientRect();
  const { width, height } = menu.getBoundingClientRect();
  const below = box.bottom + height <= window.innerHeight;
  const top = Math.min(below ? box.bottom : box.top - height, window.innerHeight - height - 4);
  menu.style.left = `${Math.max(4, Math.min(box.right - width, window.innerWidth - width - 4))}px`;
  menu.style.top = `${Math.max(4, top)}px`;
}
