/** What is drawn over a page's picture: words, entities and answers, for pointer and keyboard. */

import { counted, drawing, element, prefersLessMotion, score } from "./elements.js";
import { lineBoxes } from "./reading.js";
import { hideTip, showTip } from "./tip.js";

const FLASH_MILLISECONDS = 2400;
const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

/** The overlay of one page; `onchoose(id)` is called with the entity that was clicked or entered. */
export class Overlay {
  constructor(page, questions, palette, onchoose) {
    this.page = page;
    this.palette = palette;
    this.onchoose = onchoose;
    this.marks = new Map();
    this.svg = drawing("svg", { class: "overlay", viewBox: "0 0 1000 1000", preserveAspectRatio: "none", role: "group" });
    this.badges = element("div", { class: "badges", "aria-hidden": "true" });
    this.words = drawing("path", { class: "words", d: outline(page.boxes || [], 0) });
    this.svg.append(this.words);
    for (const entity of page.entities || []) this.#addEntity(entity);
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
    for (const { node, label } of this.marks.values()) node.classList.toggle("off", label !== null && !this.palette.shows(label));
    const shown = this.#shown();
    if (!shown.some((node) => node.tabIndex === 0)) {
      for (const { node } of this.marks.values()) node.setAttribute("tabindex", "-1");
      shown[0]?.setAttribute("tabindex", "0");
    }
  }

  /** The drawn entity or answer with this id, or null. */
  mark(id) {
    return this.marks.get(id)?.node || null;
  }

  /** Make an entity or answer stand out for a moment. */
  flash(id) {
    const node = this.mark(id);
    if (!node) return;
    node.classList.remove("flash", "flash-still");
    node.getBoundingClientRect(); // so that the animation restarts
    node.classList.add(prefersLessMotion() ? "flash-still" : "flash");
    setTimeout(() => node.classList.remove("flash", "flash-still"), FLASH_MILLISECONDS);
  }

  #addEntity(entity) {
    const boxes = entityBoxes(entity, this.page);
    const description = `${entity.label}: ${entity.text}, score ${score(entity.score)}`;
    this.#addMark(entity.id, entity.label, `mark entity ${this.palette.style(entity.label)}`, boxes, description, {
      heading: entity.label,
      value: entity.score,
      text: entity.text,
      swatch: () => this.palette.swatch(entity.label),
    });
  }

  #addAnswer(answer, index) {
    if (!answer || answer.text === null || !answer.boxes?.length) return;
    const boxes = answer.first_word === null ? answer.boxes : entityBoxes(answer, this.page);
    const description = `Answer ${index + 1}: ${answer.text}, score ${score(answer.score)}`;
    this.#addMark(answerId(this.page.index, index), null, "mark answer", boxes, description, {
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

  #addMark(id, label, classes, boxes, description, tip) {
    const node = drawing("path", { class: classes, d: outline(boxes, 2), role: "button", tabindex: -1, "aria-label": description, "data-id": id });
    this.marks.set(id, { node, label, tip });
    this.svg.append(node);
  }

  #shown() {
    return [...this.marks.values()].map(({ node }) => node).filter((node) => !node.classList.contains("off"));
  }

  #known(node) {
    return this.marks.get(node?.dataset?.id);
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
    if (mark) this.onchoose(node.dataset.id);
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

function entityBoxes(entity, page) {
  const known = Number.isInteger(entity.first_word) && Number.isInteger(entity.last_word) && page.boxes?.length;
  return known ? lineBoxes(page.boxes, entity.first_word, entity.last_word) : [entity.box];
}

function outline(boxes, margin) {
  return boxes
    .map(([x0, y0, x1, y1]) => `M${x0 - margin} ${y0 - margin}H${Math.max(x1, x0 + 1) + margin}V${Math.max(y1, y0 + 1) + margin}H${x0 - margin}Z`)
    .join("");
}
