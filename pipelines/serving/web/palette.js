/** Labels: their colours, the legend that shows them, and which of them are shown. */

import { byId, drawing, element } from "./elements.js";

const TONES = 8;
const KNOWN = { QUESTION: 0, ANSWER: 1, HEADER: 2 }; // as the batch job's report draws them

/** How the key and the value of a field are drawn: as questions and answers. */
export const KEY_STYLE = "tone-0";
export const VALUE_STYLE = "tone-1";

/** Colours by label, and which labels and layers are hidden. */
export class Palette {
  constructor() {
    this.indices = new Map();
    this.hidden = new Set();
    this.words = true;
    this.fields = true;
    this.onchange = () => null;
  }

  /** Number the labels of a model, so that their colours do not depend on what a page holds. */
  reserve(labels) {
    const names = [...new Set(labels.map((label) => label.replace(/^[BIES]-/, "")))].filter((label) => label !== "O");
    this.indices = new Map();
    for (const label of names.filter((name) => name.toUpperCase() in KNOWN)) this.indices.set(label, KNOWN[label.toUpperCase()]);
    for (const label of names) this.index(label);
  }

  index(label) {
    if (!this.indices.has(label)) {
      const taken = new Set(this.indices.values());
      let index = 0;
      while (taken.has(index)) index += 1;
      this.indices.set(label, index);
    }
    return this.indices.get(label);
  }

  /** CSS classes of a label: a tone, and a stroke where there are more labels than tones. */
  style(label) {
    const index = this.index(label);
    return `tone-${index % TONES} stroke-${Math.floor(index / TONES) % 3}`;
  }

  shows(label) {
    return !this.hidden.has(label);
  }

  /** A sample of how a label is drawn. */
  swatch(label) {
    return drawing(
      "svg",
      { class: "swatch", viewBox: "0 0 22 16", width: 22, height: 16, "aria-hidden": "true" },
      drawing("rect", { class: "paper", width: 22, height: 16, rx: 3 }),
      drawing("path", { class: `mark ${this.style(label)}`, d: "M4 4h14v8H4z" }),
    );
  }

  /** A sample of how a key, its value and the line between them are drawn. */
  fieldSwatch() {
    return drawing(
      "svg",
      { class: "swatch", viewBox: "0 0 30 16", width: 30, height: 16, "aria-hidden": "true" },
      drawing("rect", { class: "paper", width: 30, height: 16, rx: 3 }),
      drawing("path", { class: `connection ${KEY_STYLE}`, d: "M11 8h8" }),
      drawing("path", { class: `mark ${KEY_STYLE}`, d: "M3 4h8v8H3z" }),
      drawing("path", { class: `mark ${VALUE_STYLE}`, d: "M19 4h8v8h-8z" }),
    );
  }

  /** Draw the legend: a switch for the fields if there are any, for each label with its count, and for the words. */
  drawLegend(counts, wordCount, fieldCount) {
    const labels = [...counts.keys()].sort((a, b) => this.index(a) - this.index(b));
    const focused = document.activeElement?.dataset?.layer;
    const switches = labels.map((label) =>
      this.#layer(`label:${label}`, this.swatch(label), label, counts.get(label), this.shows(label), (shown) => {
        if (shown) this.hidden.delete(label);
        else this.hidden.add(label);
      }),
    );
    if (fieldCount) {
      switches.unshift(this.#layer("fields", this.fieldSwatch(), "fields", fieldCount, this.fields, (shown) => (this.fields = shown)));
    }
    if (wordCount) {
      const swatch = drawing(
        "svg",
        { class: "swatch", viewBox: "0 0 22 16", width: 22, height: 16, "aria-hidden": "true" },
        drawing("rect", { class: "paper", width: 22, height: 16, rx: 3 }),
        drawing("path", { class: "words", d: "M3.5 4.5h6v7h-6zM12.5 4.5h6v7h-6z" }),
      );
      switches.push(this.#layer("words", swatch, "words", wordCount, this.words, (shown) => (this.words = shown)));
    }
    byId("legend").replaceChildren(...switches);
    if (focused) byId("legend").querySelector(`[data-layer="${CSS.escape(focused)}"]`)?.focus();
  }

  #layer(name, swatch, words, count, shown, set) {
    const box = element("input", { type: "checkbox", "data-layer": name });
    box.checked = shown;
    box.addEventListener("change", () => {
      set(box.checked);
      this.onchange();
    });
    const number = element("span", { class: "count" }, count.toLocaleString("en"));
    return element("label", { class: "layer" }, box, swatch, element("span", { class: "layer-name" }, words), number);
  }
}
