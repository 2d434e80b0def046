/** What went wrong, told in words above the document, with buttons for the ways out. */

import { button, byId, element } from "./elements.js";
import { explain } from "./errors.js";

/**
 * Show an error.
 *
 * `name` is the file's, or null; `ways` are `[words, action]`, the likeliest first. The focus goes there, so that it
 * is read out and the ways out are next.
 */
export function showProblem(error, name, ways) {
  const { title, reason, advice } = explain(error);
  const place = byId("problem");
  const buttons = ways.map(([words, action], at) => button(words, action, at ? { class: "quiet" } : {}));
  place.replaceChildren(
    element("h2", {}, name ? `${name}: ${title[0].toLowerCase()}${title.slice(1)}` : title),
    ...[reason, advice].filter(Boolean).map((words) => element("p", {}, words)),
    element("div", { class: "problem-buttons" }, ...buttons),
  );
  place.hidden = false;
  place.focus();
}

export function clearProblem() {
  byId("problem").hidden = true;
  byId("problem").replaceChildren();
}
