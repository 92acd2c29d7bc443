// Making elements, and numbers in words. Text reaches the page here only, as text nodes: never as markup.

const SVG_NAMESPACE = "http://www.w3.org/2000/svg";

/** Gives an element its attributes; `null`, `undefined` and `false` mean: without it. */
function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else if (name === "text") element.textContent = value;
    else if (name === "value" || name === "checked") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/**
 * An HTML element: `h("button", {class: "button", on: {click}}, "Text", otherElement)`.
 * @param {string} tag
 * @param {object} attributes attributes; besides them `text`, `value`, `checked`, `dataset` and `on` (listeners)
 * @param {...(Node|string|number|null)} children strings become text nodes, null is left out
 */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  if (tag === "button") element.type = "button";
  setAttributes(element, attributes);
  element.append(...children.filter((child) => child !== null && child !== undefined).map(asNode));
  return element;
}

/** An SVG element, made as `h` makes HTML. */
function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG_NAMESPACE, tag);
  setAttributes(element, attributes);
  element.append(...children.filter((child) => child !== null && child !== undefined).map(asNode));
  return element;
}

function asNode(child) {
  return child instanceof Node ? child : document.createTextNode(String(child));
}

/** The element of the page's template with this id. */
function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`The page has no element "${id}".`);
  return element;
}

/** 30000 -> "30,000". */
function grouped(number) {
  return number.toLocaleString("en-US");
}

/** (1, "picture") -> "1 picture"; (30000, "picture") -> "30,000 pictures". */
function plural(number, word, words = `${word}s`) {
  return `${grouped(number)} ${number === 1 ? word : words}`;
}

/** A score as people compare it: two digits, three close to the ends. */
function scoreText(score) {
  return score > 0.995 || score < 0.1 ? score.toFixed(3) : score.toFixed(2);
}

/** Calls `work` once, `wait` milliseconds after the last of many calls; `.now()` calls it at once if it waits. */
function settled(work, wait) {
  let timer = 0;
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(later.now, wait);
  };
  later.now = () => {
    if (!timer) return;
    clearTimeout(timer);
    timer = 0;
    work();
  };
  return later;
}

/** Replaces what an element holds; where one of its buttons had the focus, the one in its place has it then. */
function redraw(element, ...children) {
  const place = [...element.querySelectorAll("button")].indexOf(document.activeElement);
  element.replaceChildren(...children.filter((child) => child !== null));
  if (place < 0) return;
  const buttons = element.querySelectorAll("button");
  buttons[Math.min(place, buttons.length - 1)]?.focus({ preventScroll: true });
}

/** A button's usual look in one call. */
function button(text, onClick, attributes = {}) {
  const { class: classes = "", ...rest } = attributes;
  return h("button", { class: `button ${classes}`.trim(), text, on: { click: onClick }, ...rest });
}
