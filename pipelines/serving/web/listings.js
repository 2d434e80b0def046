/** What the table lists: entities and the classes of pages, or fields. */

import { element, score } from "./elements.js";
import { bySection, fieldTitle } from "./fields.js";

const SCORE = { name: "score", title: "Score", cell: (row) => [score(row.score)] };
const PAGE = { name: "page", title: "Page", cell: (row) => [`${row.page + 1}`] };

/**
 * Entities. A listing has its columns, of which `leads` holds the button to the page and `heads` names the row; the words
 * to filter by; what a row is called; whether a row is shown; and the groups of the rows, or null.
 */
export function entityListing(palette) {
  return {
    name: "entities",
    caption: "Findings; a row leads to its position on the page",
    columns: [
      { name: "label", title: "Label", cell: (row) => [palette.swatch(row.label), element("span", {}, row.label)] },
      { name: "text", title: "Text", leads: true, cell: (row) => [row.text ?? "whole page"] },
      SCORE,
      PAGE,
    ],
    words: (row) => `${row.text ?? ""}\n${row.label}`,
    title: (row) => row.text ?? "whole page",
    shows: (row) => palette.shows(row.label),
    groups: null,
  };
}

/** Fields, by section until they are sorted otherwise. */
export function fieldListing(palette) {
  return {
    name: "fields",
    caption: "Fields; a row leads to its key and value on the page",
    columns: [
      { name: "key", title: "Key", heads: true, cell: keyCell },
      { name: "value", title: "Value", leads: true, cell: (row) => [row.value ?? "empty"], after: kind },
      SCORE,
      PAGE,
    ],
    words: (row) => [row.section, row.key, row.value, row.value_normalized].filter(Boolean).join("\n"),
    title: fieldTitle,
    shows: () => palette.fields,
    groups: bySection,
  };
}

function keyCell(row, grouped) {
  const key = element("span", { dir: "auto", class: "key-text" }, row.key);
  return grouped || !row.section ? [key] : [element("span", { dir: "auto", class: "key-section" }, row.section), key];
}

/** The type of a value, and how the value is written in it, if that is known. */
function kind({ value, value_type: type, value_normalized: normalized }) {
  if (!type || type === "text") return null;
  const parts = [element("span", { class: "type" }, type.replaceAll("_", " "))];
  if (normalized && normalized !== value) parts.push(" ", element("span", { dir: "auto" }, normalized));
  return element("span", { class: "kind" }, ...parts);
}
