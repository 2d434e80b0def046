/**
 * The pages in a column. Each has a frame as soon as it arrives; picture and overlay exist only near the window, so that
 * three hundred pages stay as light as three.
 */

import { byId, counted, element, prefersLessMotion } from "./elements.js";
import { classBars } from "./classes.js";
import { explainPage } from "./errors.js";
import { Overlay } from "./overlay.js";

const NEAR = "900px 0px";
const A4 = [210, 297];
const SOURCES = { layer: "text layer", ocr: "read by OCR", mixed: "text layer and OCR", given: "words given", none: "no words" };

export class Pages {
  /** `onchoose(id)` is called with the field or entity clicked, `onview(page_index)` with the page in view. */
  constructor(palette, { onchoose, onview }) {
    this.column = byId("pages");
    this.palette = palette;
    this.onchoose = onchoose;
    this.reading = null;
    this.asFields = true;
    this.cards = new Map();
    this.nearby = new IntersectionObserver((entries) => entries.forEach((entry) => this.#mountNearby(entry)), { rootMargin: NEAR });
    this.viewed = new IntersectionObserver(
      (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => onview(Number(entry.target.dataset.page))),
      { rootMargin: "-35% 0px -60% 0px" },
    );
  }

  /** Start with another document. */
  open(reading) {
    this.reading = reading;
    this.nearby.disconnect();
    this.viewed.disconnect();
    this.cards.clear();
    this.column.replaceChildren();
  }

  /** Show a page that arrived, at its position. */
  show(page) {
    const old = this.cards.get(page.index);
    const card = this.#card(page);
    this.cards.set(page.index, card);
    if (old) {
      this.nearby.unobserve(old.node);
      this.viewed.unobserve(old.node);
      old.node.replaceWith(card.node);
      if (old.overlay) this.#mount(card);
    } else {
      const next = [...this.column.children].find((node) => Number(node.dataset.page ?? Infinity) > page.index);
      this.column.insertBefore(card.node, next || null);
    }
    this.nearby.observe(card.node);
    this.viewed.observe(card.node);
  }

  /** Show an empty frame with `words` while the next page is being read; null removes it. */
  wait(words) {
    byId("waiting")?.remove();
    if (words === null) return;
    const last = this.reading.inOrder().at(-1);
    const sheet = element("div", { class: "sheet waiting" }, element("p", {}, words));
    sheet.style.aspectRatio = shape(last);
    this.column.append(element("div", { id: "waiting", class: "page", "aria-hidden": "true" }, sheet));
  }

  /** Apply what the legend shows and hides. */
  refresh() {
    for (const card of this.cards.values()) card.overlay?.refresh();
  }

  /** Draw fields, on the pages that have some, or entities. */
  view(asFields) {
    if (asFields === this.asFields) return;
    this.asFields = asFields;
    for (const card of this.cards.values()) {
      if (!card.overlay) continue;
      this.#unmount(card);
      this.#mount(card);
    }
  }

  /** Make a field or entity of a page stand out from the others; a null `id`: none any more. */
  light(index, id) {
    this.cards.get(index)?.overlay?.light(id);
  }

  /** Redraw all overlays. */
  redraw() {
    for (const { page } of [...this.cards.values()]) this.show(page);
  }

  /** Bring a page into view, and on it the field, entity or answer `id` if one is given, which then flashes. */
  reveal(index, id = null) {
    const card = this.cards.get(index);
    if (!card) return;
    this.#mount(card);
    const target = (id && card.overlay?.mark(id)) || card.node;
    const box = target.getBoundingClientRect();
    const height = window.innerHeight;
    const top = target === card.node ? 96 : Math.max(120, (height - box.height) / 2.4);
    const distance = box.top - top;
    const smooth = !prefersLessMotion() && Math.abs(distance) < 2.5 * height;
    window.scrollBy({ top: distance, behavior: smooth ? "smooth" : "instant" });
    if (id) card.overlay?.flash(id);
  }

  #mountNearby({ target, isIntersecting }) {
    const card = this.cards.get(Number(target.dataset.page));
    if (card?.node !== target) return;
    if (isIntersecting) this.#mount(card);
    else if (!target.contains(document.activeElement)) this.#unmount(card);
  }

  #mount(card) {
    if (card.overlay || card.page.failed) return;
    const { page } = card;
    card.overlay = new Overlay(page, this.reading.questions, this.palette, this.asFields, this.onchoose);
    const picture = page.picture
      ? element("img", { alt: `Page ${page.index + 1}`, src: page.picture, draggable: "false" })
      : element("p", { class: "no-picture" }, "No picture of this page; words and findings are shown where they are on it.");
    card.sheet.replaceChildren(picture, card.overlay.svg, card.overlay.badges);
  }

  #unmount(card) {
    if (!card.overlay) return;
    card.overlay = null;
    card.sheet.replaceChildren();
  }

  #card(page) {
    const number = page.index + 1;
    const heading = element("h2", { id: `page-${number}`, tabindex: "-1" }, `Page ${number}`);
    const head = element("header", { class: "page-head" }, heading, element("p", { class: "small muted" }, facts(page)));
    const sheet = element("div", { class: "sheet" });
    sheet.style.aspectRatio = shape(page);
    if (page.failed) fillFailed(sheet, page, number);
    const bars = page.classes?.length && !page.failed ? classBars(page, this.palette) : null;
    const node = element("article", { class: "page", "data-page": page.index, "aria-labelledby": `page-${number}` }, head, bars, sheet);
    return { page, node, sheet, overlay: null };
  }
}

function fillFailed(sheet, page, number) {
  const { reason, advice } = explainPage(page.failed.kind, page.failed.reason);
  sheet.classList.add("failed");
  const words = element("div", { class: "failed-words" }, element("h3", {}, `Page ${number} could not be read`), element("p", {}, reason));
  if (advice) words.append(element("p", {}, advice));
  if (page.picture) sheet.append(element("img", { alt: "", src: page.picture }));
  sheet.append(words);
}

function shape(page) {
  const [width, height] = page?.row?.width && page.row.height ? [page.row.width, page.row.height] : A4;
  return `${width} / ${height}`;
}

function facts(page) {
  if (page.failed) return "not read";
  const parts = [SOURCES[page.row.text_source] || page.row.text_source];
  if (page.words.length) parts.push(counted(page.words.length, "word"));
  const quality = page.row.read_quality;
  if (quality !== null && quality !== undefined) parts.push(`read quality ${quality.toFixed(2)}`);
  if (page.row.missing_language) parts.push(`language “${page.row.missing_language}” is not installed`);
  if (page.entities) parts.push(counted(page.entities.length, "entity", "entities"));
  return parts.join(" · ");
}
