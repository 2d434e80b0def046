/** What went wrong, in words above the document, with buttons for the ways out. */

import { button, byId, element } from "./elements.js";
import { explain } from "./errors.js";

/**
 * Show an error.
 *
 * `name` is the file's, or null; `ways` are `[label, action]`, the likeliest first. It takes the focus, so that screen
 * readers read it and the buttons come next.
 */
export function showProblem(error, name, ways) {
  const { title, reason, advice } = explain(error);
  const box = byId("problem");
  const buttons = ways.map(([label, action], index) => button(label, action, index ? { class: "quiet" } : {}));
  box.replaceChildren(
    element("h2", {}, name ? `${name}: ${title[0].toLowerCase()}${title.slice(1)}` : title),
    ...[reason, advice].filter(Boolean).map((words) => element("p", {}, words)),
    element("div", { class: "problem-buttons" }, ...buttons),
  );
  box.hidden = false;
  box.focus();
}

export function clearProblem() {
  byId("problem").hidden = true;
  byId("problem").replaceChildren();
}
