/** Small pictures of the pages, for navigation in long documents. */

import { byId, element, prefersLessMotion } from "./elements.js";

export class Thumbnails {
  /** `onchoose(page_index)` is called with the page to go to. */
  constructor(onchoose) {
    this.strip = byId("thumbnails");
    this.onchoose = onchoose;
    this.items = new Map();
    this.current = null;
    this.nearby = new IntersectionObserver((entries) => entries.forEach(drawNearby), { root: this.strip, rootMargin: "400px" });
    this.strip.addEventListener("keydown", (event) => this.#step(event));
  }

  open() {
    this.nearby.disconnect();
    this.items.clear();
    this.current = null;
    this.strip.replaceChildren();
    this.strip.hidden = true;
  }

  /** Add or update a page. */
  show(page) {
    let item = this.items.get(page.index);
    if (!item) {
      item = this.#item(page);
      this.items.set(page.index, item);
      const next = [...this.strip.children].find((node) => Number(node.dataset.page) > page.index);
      this.strip.insertBefore(item, next || null);
      this.nearby.observe(item);
      this.strip.hidden = this.items.size < 2;
    }
    item.dataset.picture = page.picture || "";
    item.classList.toggle("failed", Boolean(page.failed));
    item.classList.toggle("answered", [...page.answers.values()].some(({ text }) => text !== null));
    item.setAttribute("aria-label", `Page ${page.index + 1}${page.failed ? ", not read" : ""}`);
  }

  /** Mark the page in view, and keep its thumbnail visible. */
  view(index) {
    const item = this.items.get(index);
    if (!item || this.current === index) return;
    this.items.get(this.current)?.removeAttribute("aria-current");
    this.current = index;
    item.setAttribute("aria-current", "page");
    for (const other of this.items.values()) other.tabIndex = other === item ? 0 : -1;
    const strip = this.strip.getBoundingClientRect();
    const box = item.getBoundingClientRect();
    const outside = box.top < strip.top || box.bottom > strip.bottom || box.left < strip.left || box.right > strip.right;
    if (!outside) return;
    const middle = { top: box.top - strip.top - strip.height / 2, left: box.left - strip.left - strip.width / 2 };
    this.strip.scrollBy({ ...middle, behavior: prefersLessMotion() || Math.abs(middle.top) > 1200 ? "instant" : "smooth" });
  }

  #item(page) {
    const frame = element("span", { class: "thumbnail-frame" });
    if (page.row?.width && page.row.height) frame.style.aspectRatio = `${page.row.width} / ${page.row.height}`;
    const number = element("span", { class: "thumbnail-number" }, `${page.index + 1}`);
    const onclick = () => this.onchoose(page.index);
    const tabindex = this.items.size ? -1 : 0;
    return element("button", { type: "button", class: "thumbnail", "data-page": page.index, tabindex, onclick }, frame, number);
  }

  #step(event) {
    const items = [...this.strip.children];
    const at = items.indexOf(event.target);
    const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, PageDown: 10, PageUp: -10, Home: -items.length, End: items.length };
    if (at < 0 || !(event.key in by)) return;
    const item = items[Math.max(0, Math.min(items.length - 1, at + by[event.key]))];
    for (const other of items) other.tabIndex = other === item ? 0 : -1;
    item.focus();
    event.preventDefault();
  }
}

function drawNearby({ target, isIntersecting }) {
  const frame = target.firstElementChild;
  if (!isIntersecting) frame.replaceChildren();
  else if (!frame.firstElementChild && target.dataset.picture) {
    frame.replaceChildren(element("img", { alt: "", src: target.dataset.picture, decoding: "async" }));
  }
}
