/** Elements made without `innerHTML`: documents are untrusted, so what comes from one is only ever text. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An HTML element. Attributes that start with "on" are listeners; `true` sets an attribute, `false` and `null` omit it;
 * children are elements or text.
 */
export function element(name, attributes = {}, ...children) {
  return build(document.createElement(name), attributes, children);
}

/** The same for an SVG element. */
export function drawing(name, attributes = {}, ...children) {
  return build(document.createElementNS(SVG, name), attributes, children);
}

/** A button with a label. */
export function button(label, onclick, attributes = {}) {
  return element("button", { type: "button", onclick, ...attributes }, label);
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

/** Whether the user prefers less motion. */
export function prefersLessMotion() {
  return window.matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Have screen readers say something. */
export function announce(words) {
  byId("announcer").textContent = words;
}

function build(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}
