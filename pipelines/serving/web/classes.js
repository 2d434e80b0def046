/** The class of a page, with the probability of each as a bar. */

import { element, score } from "./elements.js";

const SHOWN = 4;

/** Bars of `page.classes`, the likeliest first; the rest behind "all". */
export function classBars(page, palette) {
  const figure = element("figure", { class: "classes", "aria-label": `Class of page ${page.index + 1}` });
  figure.append(list(page.classes.slice(0, SHOWN), palette));
  const others = page.classes.slice(SHOWN);
  if (others.length) {
    figure.append(element("details", {}, element("summary", {}, `${others.length} less likely`), list(others, palette)));
  }
  return figure;
}

function list(classes, palette) {
  return element("ul", {}, ...classes.map((one) => bar(one, palette)));
}

function bar({ label, score: probability }, palette) {
  const fill = element("span", { class: `bar-fill ${palette.style(label)}` });
  fill.style.width = `${Math.max(0.5, 100 * probability)}%`;
  return element(
    "li",
    { class: "class" },
    element("span", { class: "class-name" }, label),
    element("span", { class: "bar-track", "aria-hidden": "true" }, fill),
    element("span", { class: "class-score" }, score(probability)),
  );
}
