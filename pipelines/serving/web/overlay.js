/** What is drawn over a page's picture: words, fields or entities, and answers, for pointer and keyboard. */

import { connection } from "./connection.js";
import { counted, drawing, element, prefersLessMotion, score } from "./elements.js";
import { fieldTitle } from "./fields.js";
import { KEY_STYLE, VALUE_STYLE } from "./palette.js";
import { lineBoxes } from "./reading.js";
import { hideTip, showTip } from "./tip.js";

const FLASH_MILLISECONDS = 2400;
const MARGIN = 2; // around what is marked, in thousandths of the page
const COMPARED = 3e6; // pairs of a field and a word, up to which lines go around words
const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

/**
 * The overlay of one page: with its fields if `asFields` and it has some, else with its entities. `onchoose(id)` is called
 * with the one that was clicked or entered.
 */
export class Overlay {
  constructor(page, questions, palette, asFields, onchoose) {
    this.page = page;
    this.palette = palette;
    this.onchoose = onchoose;
    this.marks = new Map();
    this.svg = drawing("svg", { class: "overlay", viewBox: "0 0 1000 1000", preserveAspectRatio: "none", role: "group" });
    this.badges = element("div", { class: "badges", "aria-hidden": "true" });
    this.words = drawing("path", { class: "words", d: outline(page.boxes || [], 0) });
    this.svg.append(this.words);
    if (asFields && page.fields?.length) this.#addFields(page.fields);
    else for (const entity of page.entities || []) this.#addEntity(entity);
    questions.forEach((question, index) => this.#addAnswer(page.answers.get(question), index));
    const names = counted(this.marks.size, "finding");
    this.svg.setAttribute("aria-label", `${names} on page ${page.index + 1}; use the arrow keys to move between them`);
    if (!this.marks.size) this.svg.setAttribute("aria-hidden", "true");
    this.svg.addEventListener("pointermove", (event) => this.#point(event));
    this.svg.addEventListener("pointerleave", hideTip);
    this.svg.addEventListener("keydown", (event) => this.#step(event));
    this.svg.addEventListener("click", (event) => this.#choose(event.target));
    this.svg.addEventListener("focusin", (event) => this.#focus(event.target));
    this.svg.addEventListener("focusout", hideTip);
    this.refresh();
  }

  /** Apply what the legend shows and hides. */
  refresh() {
    this.words.classList.toggle("off", !this.palette.words);
    for (const { node, shows } of this.marks.values()) node.classList.toggle("off", !shows());
    const shown = this.#shown();
    if (!shown.some((node) => node.tabIndex === 0)) {
      for (const { node } of this.marks.values()) node.setAttribute("tabindex", "-1");
      shown[0]?.setAttribute("tabindex", "0");
    }
  }

  /** Make a field or entity stand out from the others; null or another page's: none. */
  light(id) {
    const lit = this.mark(id);
    if (lit?.classList.contains("lit")) return;
    for (const { node } of this.marks.values()) node.classList.toggle("lit", node === lit);
    this.svg.classList.toggle("with-lit", Boolean(lit));
  }

  /** The drawn field, entity or answer with this id, or null. */
  mark(id) {
    return this.marks.get(id)?.node || null;
  }

  /** Make a field, entity or answer stand out for a moment. */
  flash(id) {
    const node = this.mark(id);
    if (!node) return;
    node.classList.remove("flash", "flash-still");
    node.getBoundingClientRect(); // so that the animation restarts
    node.classList.add(prefersLessMotion() ? "flash-still" : "flash");
    setTimeout(() => node.classList.remove("flash", "flash-still"), FLASH_MILLISECONDS);
  }

  #addEntity(entity) {
    const boxes = textBoxes(entity.words || wordsOf(entity), entity.box, this.page);
    const description = `${entity.label}: ${entity.text}, score ${score(entity.score)}`;
    const shape = drawing("path", { class: `mark entity ${this.palette.style(entity.label)}`, d: outline(boxes) });
    this.#addMark(entity.id, shape, () => this.palette.shows(entity.label), description, {
      heading: entity.label,
      value: entity.score,
      text: entity.text,
      swatch: () => this.palette.swatch(entity.label),
    });
  }

  #addFields(fields) {
    const words = this.page.boxes || [];
    const around = fields.length * words.length <= COMPARED ? words : [];
    const drawn = new Set(); // a key of several values is filled once
    for (const field of fields) {
      const keys = field.key_box ? textBoxes(field.key_words, field.key_box, this.page) : [];
      const values = field.value_box ? textBoxes(field.value_words, field.value_box, this.page) : [];
      const again = drawn.has(String(field.key_box));
      drawn.add(String(field.key_box));
      const shape = drawing("g", { class: "field" });
      if (keys.length) shape.append(drawing("path", { class: `mark ${KEY_STYLE}${again ? " again" : ""}`, d: outline(keys) }));
      if (values.length) shape.append(drawing("path", { class: `mark ${VALUE_STYLE}`, d: outline(values) }));
      if (keys.length && values.length) this.#connect(shape, field, keys, values, around);
      const section = field.section ? `${field.section}, ` : "";
      const description = `${section}${fieldTitle(field)}, score ${score(field.score)}`;
      this.#addMark(field.id, shape, () => this.palette.fields, description, {
        heading: field.key,
        value: field.score,
        text: field.value,
        note: field.section,
        swatch: () => this.palette.fieldSwatch(),
      });
    }
  }

  /** Draw the line from key to value around other words, with a dot where it ends. */
  #connect(shape, { key_words: keyWords, value_words: valueWords }, keys, values, words) {
    const own = [...(keyWords || []), ...(valueWords || [])];
    const { width, height } = this.page.row;
    const [from, to] = [keys, values].map((boxes) => boxes.map((box) => widened(box)));
    const points = connection(from, to, words, width && height ? height / width : 1, own);
    if (!points.length) return;
    const line = points.map(([x, y]) => `${x} ${y}`).join("L");
    shape.append(
      drawing("path", { class: `connection ${KEY_STYLE}`, d: `M${line}` }),
      drawing("path", { class: `connection end ${KEY_STYLE}`, d: `M${points.at(-1).join(" ")}h0` }),
    );
  }

  #addAnswer(answer, index) {
    if (!answer || answer.text === null || !answer.boxes?.length) return;
    const boxes = answer.first_word === null ? answer.boxes : textBoxes(wordsOf(answer), answer.boxes[0], this.page);
    const description = `Answer ${index + 1}: ${answer.text}, score ${score(answer.score)}`;
    const shape = drawing("path", { class: "mark answer", d: outline(boxes) });
    this.#addMark(answerId(this.page.index, index), shape, () => true, description, {
      heading: `Answer ${index + 1}`,
      value: answer.score,
      text: answer.text,
      note: answer.question,
    });
    const badge = element("span", { class: "badge" }, `${index + 1}`);
    badge.style.left = `${boxes[0][0] / 10}%`;
    badge.style.top = `${boxes[0][1] / 10}%`;
    const others = [...this.badges.children].filter(({ style }) => style.left === badge.style.left && style.top === badge.style.top);
    badge.style.marginLeft = `${1.35 * others.length}rem`; // beside those of other questions with the same answer
    this.badges.append(badge);
  }

  #addMark(id, node, shows, description, tip) {
    const attributes = { role: "button", tabindex: "-1", "aria-label": description, "data-id": id };
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    this.marks.set(id, { node, shows, tip });
    this.svg.append(node);
  }

  #shown() {
    return [...this.marks.values()].map(({ node }) => node).filter((node) => !node.classList.contains("off"));
  }

  #known(node) {
    return this.marks.get(node?.closest("[data-id]")?.dataset.id);
  }

  #focus(node) {
    const mark = this.#known(node);
    if (!mark) return;
    for (const { node: other } of this.marks.values()) other.setAttribute("tabindex", other === node ? "0" : "-1");
    if (node.matches(":focus-visible")) this.#showTip(mark);
  }

  #showTip({ node, tip }) {
    showTip(node.getBoundingClientRect(), { ...tip, swatch: tip.swatch?.() });
  }

  #step(event) {
    const shown = this.#shown();
    const at = shown.indexOf(event.target);
    if (at < 0) return;
    const ends = { Home: 0, End: shown.length - 1 };
    if (event.key === "Enter" || event.key === " ") this.#choose(event.target);
    else if (event.key in STEPS) shown[(at + STEPS[event.key] + shown.length) % shown.length].focus();
    else if (event.key in ends) shown[ends[event.key]].focus();
    else return;
    event.preventDefault();
  }

  #choose(node) {
    const mark = this.#known(node);
    if (mark) this.onchoose(mark.node.dataset.id);
  }

  /** Describe what is under the pointer: an entity or answer if there is one, else the word. */
  #point(event) {
    const mark = this.#known(event.target);
    if (mark) {
      this.#showTip(mark);
      return;
    }
    const frame = this.svg.getBoundingClientRect();
    const x = ((event.clientX - frame.left) / frame.width) * 1000;
    const y = ((event.clientY - frame.top) / frame.height) * 1000;
    const index = this.palette.words ? (this.page.boxes || []).findIndex(([x0, y0, x1, y1]) => x >= x0 && x <= x1 && y >= y0 && y <= y1) : -1;
    if (index < 0) {
      hideTip();
      return;
    }
    const [x0, y0, x1, y1] = this.page.boxes[index];
    const sides = { left: frame.left + (x0 * frame.width) / 1000, right: frame.left + (x1 * frame.width) / 1000 };
    const anchor = { ...sides, top: frame.top + (y0 * frame.height) / 1000, bottom: frame.top + (y1 * frame.height) / 1000 };
    const confidence = this.page.confidences?.[index];
    const read = confidence === null || confidence === undefined ? "from the text layer" : `read by OCR, confidence ${score(confidence)}`;
    const label = this.page.labels?.[index];
    showTip(anchor, {
      heading: label && label !== "O" ? label.replace(/^[BIES]-/, "") : "no label",
      value: this.page.scores?.[index],
      text: this.page.words[index],
      note: read,
    });
  }
}

/** The id of the answer to a question, by the question's index, on a page. */
export function answerId(pageIndex, questionIndex) {
  return `p${pageIndex}q${questionIndex}`;
}

/** The boxes of words line by line; of words that are not known, the box of them all. */
function textBoxes(words, box, page) {
  const known = words?.length && words.every((index) => page.boxes?.[index]);
  return known ? lineBoxes(words.map((index) => page.boxes[index])) : [box];
}

function wordsOf({ first_word: first, last_word: last }) {
  if (!Number.isInteger(first) || !Number.isInteger(last)) return null;
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
}

/** A box as a mark is drawn around it. */
function widened([x0, y0, x1, y1], margin = MARGIN) {
  return [x0 - margin, y0 - margin, Math.max(x1, x0 + 1) + margin, Math.max(y1, y0 + 1) + margin];
}

function outline(boxes, margin = MARGIN) {
  return boxes
    .map((box) => widened(box, margin))
    .map(([x0, y0, x1, y1]) => `M${x0} ${y0}H${x1}V${y1}H${x0}Z`)
    .join("");
}
