/** The tip beside what is under the pointer or has the focus: label, score and text. */

import { byId, element, score } from "./elements.js";

const LONGEST = 240;

/** Describe an entity, an answer or a word beside `anchor`, a rectangle in the window. */
export function showTip(anchor, { heading, value, text, note, swatch }) {
  const tip = byId("tip");
  const first = element("p", { class: "tip-first" });
  first.append(...(swatch ? [swatch] : []), element("strong", {}, heading), element("span", { class: "tip-score" }, score(value)));
  const shortened = text && text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  tip.replaceChildren(
    first,
    ...(shortened ? [element("p", { class: "tip-text", dir: "auto" }, shortened)] : []),
    ...(note ? [element("p", { class: "small" }, note)] : []),
  );
  tip.hidden = false;
  position(tip, anchor);
}

export function hideTip() {
  byId("tip").hidden = true;
}

function position(tip, anchor) {
  const { width, height } = tip.getBoundingClientRect();
  const margin = 8;
  const widest = document.documentElement.clientWidth - width - margin;
  const below = anchor.bottom + margin;
  const above = anchor.top - height - margin;
  const top = below + height > window.innerHeight && above > 0 ? above : below;
  tip.style.left = `${Math.max(margin, Math.min(anchor.left, widest))}px`;
  tip.style.top = `${top}px`;
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") hideTip();
});
document.addEventListener("scroll", hideTip, { passive: true, capture: true });
