/** The findings as a table: to filter, to sort, and to go from a row to its position on the page. */

import { announce, byId, counted, element, score } from "./elements.js";

const ROWS_AT_ONCE = 200;
const COLUMNS = [
  { name: "label", title: "Label" },
  { name: "text", title: "Text" },
  { name: "score", title: "Score" },
  { name: "page", title: "Page" },
];

export class Table {
  /** `onchoose(row)` is called with the row chosen. */
  constructor(palette, onchoose) {
    this.container = byId("table");
    this.palette = palette;
    this.onchoose = onchoose;
    this.rows = [];
    this.sorting = { name: null, down: false };
    this.limit = ROWS_AT_ONCE;
    this.chosen = null; // id of a row
    byId("filter").addEventListener("input", () => this.#restart());
  }

  /** Rows as `Reading.findings` gives them. */
  show(rows) {
    this.rows = rows;
    this.draw();
  }

  /** Start with another document. */
  open() {
    byId("filter").value = "";
    this.sorting = { name: null, down: false };
    this.limit = ROWS_AT_ONCE;
    this.chosen = null;
    this.show([]);
  }

  /** The rows that legend and filter let through, in the order shown. */
  shown() {
    const filter = byId("filter").value.trim().toLocaleLowerCase();
    const rows = this.rows.filter(
      (row) =>
        this.palette.shows(row.label) &&
        (!filter || `${row.text ?? ""}\n${row.label}`.toLocaleLowerCase().includes(filter)),
    );
    const { name, down } = this.sorting;
    if (name) rows.sort((a, b) => compare(a[name], b[name]) * (down ? -1 : 1));
    return rows;
  }

  /** Redraw the table; the chosen row and the focus stay. */
  draw() {
    const focused = this.#focused();
    const rows = this.shown();
    const drawn = rows.slice(0, this.limit);
    if (!rows.length) {
      const why = this.rows.length ? "Nothing matches the filter and the labels shown." : "Nothing found.";
      this.container.replaceChildren(element("p", { class: "muted nothing" }, why));
      return;
    }
    const head = element("thead", {}, element("tr", {}, ...COLUMNS.map((column) => this.#heading(column))));
    const body = element("tbody", {}, ...drawn.map((row) => this.#row(row)));
    const caption = element("caption", { class: "unseen" }, "Findings; a row leads to its position on the page");
    const onePage = rows.every(({ page }) => page === 0);
    this.container.replaceChildren(element("table", { class: onePage ? "one-page" : null }, caption, head, body));
    if (rows.length > drawn.length) {
      const more = `Show ${Math.min(ROWS_AT_ONCE, rows.length - drawn.length)} more of ${(rows.length - drawn.length).toLocaleString("en")}`;
      const onclick = () => this.#more();
      this.container.append(element("button", { type: "button", class: "quiet more", onclick }, more));
    }
    if (focused) this.container.querySelector(`${focused} button`)?.focus({ preventScroll: true });
  }

  /** Show the row of an entity, and give it the focus. */
  choose(id) {
    let at = this.shown().findIndex((row) => row.id === id);
    if (at < 0 && byId("filter").value) {
      byId("filter").value = "";
      at = this.shown().findIndex((row) => row.id === id);
    }
    if (at < 0) return;
    if (at >= this.limit) this.limit = at + ROWS_AT_ONCE;
    this.chosen = id;
    this.draw();
    const row = this.container.querySelector(`[data-row="${CSS.escape(id)}"]`);
    row.querySelector("button").focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }

  /** A selector of the row or heading that has the focus, or null. */
  #focused() {
    const held = this.container.contains(document.activeElement) && document.activeElement.closest("[data-row], th");
    if (!held) return null;
    return held.dataset.row ? `[data-row="${CSS.escape(held.dataset.row)}"]` : `th.${held.className}`;
  }

  #restart() {
    this.limit = ROWS_AT_ONCE;
    this.draw();
    announce(counted(this.shown().length, "row"));
  }

  #more() {
    const first = this.limit;
    this.limit += ROWS_AT_ONCE;
    this.draw();
    this.container.querySelectorAll("tbody button")[first]?.focus();
  }

  #heading({ name, title }) {
    const { name: sorted, down } = this.sorting;
    const direction = sorted === name ? (down ? "descending" : "ascending") : null;
    const arrow = element("span", { class: "arrow", "aria-hidden": "true" }, direction ? (down ? "↓" : "↑") : "");
    const onclick = () => this.#sort(name);
    return element("th", { scope: "col", class: `column-${name}`, "aria-sort": direction }, element("button", { type: "button", onclick }, title, arrow));
  }

  /** Scores start in descending order; a third click restores the order of the document. */
  #sort(name) {
    const first = name === "score";
    if (this.sorting.name !== name) this.sorting = { name, down: first };
    else if (this.sorting.down === first) this.sorting = { name, down: !first };
    else this.sorting = { name: null, down: false };
    this.draw();
    this.container.querySelector(`th.column-${name} button`).focus();
  }

  #row(row) {
    const go = element(
      "button",
      { type: "button", class: "go", dir: "auto", "aria-label": `${row.text ?? "whole page"}, go to page ${row.page + 1}` },
      element("span", {}, row.text ?? "whole page"),
    );
    return element(
      "tr",
      { "data-row": row.id, class: row.id === this.chosen ? "chosen" : null, onclick: () => this.#go(row) },
      element("td", { class: "column-label" }, this.palette.swatch(row.label), element("span", {}, row.label)),
      element("td", { class: "column-text" }, go),
      element("td", { class: "column-score" }, score(row.score)),
      element("td", { class: "column-page" }, `${row.page + 1}`),
    );
  }

  #go(row) {
    if (!window.getSelection().isCollapsed) return; // text is being selected
    this.onchoose(row);
  }
}

function compare(one, other) {
  if (typeof one === "number") return one - other;
  return String(one ?? "").localeCompare(String(other ?? ""), "en", { numeric: true });
}
