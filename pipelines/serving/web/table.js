/** A listing of findings as a table: to filter, to sort, and to go from a row to its position on the page. */

import { announce, byId, counted, element } from "./elements.js";

const ROWS_AT_ONCE = 200;

export class Table {
  /**
   * `listing` is the first of `listings.js` to show. `onchoose(row)` is called with the row chosen, `onpoint(row, whether)`
   * when pointer or focus comes to a row or leaves it.
   */
  constructor(listing, { onchoose, onpoint }) {
    this.container = byId("table");
    this.listing = listing;
    this.onchoose = onchoose;
    this.onpoint = onpoint;
    this.rows = [];
    this.sorting = { name: null, down: false };
    this.limit = ROWS_AT_ONCE;
    this.chosen = null; // id of a row
    byId("filter").addEventListener("input", () => this.#restart());
  }

  /** Show the rows of a listing; another one than before starts at its first rows. */
  show(rows, listing = this.listing) {
    if (listing !== this.listing) {
      this.listing = listing;
      this.sorting = { name: null, down: false };
      this.limit = ROWS_AT_ONCE;
    }
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
    const { shows, words, groups } = this.listing;
    const rows = this.rows.filter((row) => shows(row) && (!filter || words(row).toLocaleLowerCase().includes(filter)));
    const { name, down } = this.sorting;
    if (name) return rows.sort((a, b) => compare(a[name], b[name]) * (down ? -1 : 1));
    return groups ? groups(rows).flatMap(([, grouped]) => grouped) : rows;
  }

  /** Redraw the table; the chosen row and the focus stay. */
  draw() {
    const focused = this.#focused();
    const rows = this.shown();
    const drawn = rows.slice(0, this.limit);
    if (!rows.length) {
      const why = this.rows.length ? "Nothing matches the filter and what is shown." : "Nothing found.";
      this.container.replaceChildren(element("p", { class: "muted nothing" }, why));
      return;
    }
    const { name, columns, caption } = this.listing;
    const head = element("thead", {}, element("tr", {}, ...columns.map((column) => this.#heading(column))));
    const onePage = rows.every(({ page }) => page === 0) ? " one-page" : "";
    const said = element("caption", { class: "unseen" }, caption);
    this.container.replaceChildren(element("table", { class: `${name}-table${onePage}` }, said, head, ...this.#bodies(drawn, columns.length - (onePage ? 1 : 0))));
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
    const held = this.container.contains(document.activeElement) && document.activeElement.closest("[data-row], thead th");
    if (!held) return null;
    return held.dataset.row ? `[data-row="${CSS.escape(held.dataset.row)}"]` : `thead th.${held.className}`;
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
    this.container.querySelector(`thead th.column-${name} button`).focus();
  }

  /** The rows, with a heading of `width` columns for each group that has a name. */
  #bodies(rows, width) {
    const groups = this.listing.groups && !this.sorting.name ? this.listing.groups(rows) : [[null, rows]];
    return groups.map(([name, grouped]) => {
      const heading = name ?? (groups.length > 1 ? "Without a section" : null);
      const body = element("tbody");
      if (heading !== null) {
        const spanning = { class: `group${name === null ? " muted" : ""}`, scope: "rowgroup", colspan: width, dir: "auto" };
        body.append(element("tr", {}, element("th", spanning, heading)));
      }
      body.append(...grouped.map((row) => this.#row(row)));
      return body;
    });
  }

  #row(row) {
    const cells = this.listing.columns.map((column) => this.#cell(column, row));
    const listeners = {
      onclick: () => this.#go(row),
      onpointermove: ({ movementX, movementY }) => {
        if (movementX || movementY) this.onpoint(row, true); // not for a row that was scrolled under a pointer at rest
      },
      onpointerleave: () => this.onpoint(row, false),
      onfocusin: () => this.onpoint(row, true),
      onfocusout: () => this.onpoint(row, false),
    };
    return element("tr", { "data-row": row.id, class: row.id === this.chosen ? "chosen" : null, ...listeners }, ...cells);
  }

  #cell({ name, cell, leads, heads, after }, row) {
    const children = cell(row, Boolean(this.listing.groups) && !this.sorting.name);
    if (heads) return element("th", { scope: "row", class: `column-${name}` }, ...children);
    if (!leads) return element("td", { class: `column-${name}` }, ...children);
    const label = `${this.listing.title(row)}, go to page ${row.page + 1}`;
    const go = element("button", { type: "button", class: "go", dir: "auto", "aria-label": label }, element("span", {}, ...children));
    return element("td", { class: `column-${name}` }, go, after?.(row));
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
