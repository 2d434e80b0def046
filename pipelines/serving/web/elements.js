/** Elements made without `innerHTML`: documents are hostile, so whatever comes from one goes in as text. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An HTML element. Attributes that start with "on" are listeners; `true` sets an attribute, `false` and `null` leave
 * it out; children are elements or text.
 */
export function element(name, attributes = {}, ...children) {
  return furnish(document.createElement(name), attributes, children);
}

/** The same for a part of a drawing. */
export function drawing(name, attributes = {}, ...children) {
  return furnish(document.createElementNS(SVG, name), attributes, children);
}

/** A button with words on it. */
export function button(words, onclick, attributes = {}) {
  return element("button", { type: "button", onclick, ...attributes }, words);
}

export function byId(id) {
  return document.getElementById(id);
}

/** "1 page", "2 pages". */
export function counted(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

export function score(number) {
  return number === null || number === undefined ? "–" : number.toFixed(2);
}

/** Whether the reader asked for less motion. */
export function calm() {
  return window.matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Say something to those who do not see the page. */
export function announce(words) {
  byId("announcer").textContent = words;
}

function furnish(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}
