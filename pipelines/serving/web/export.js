/** Taking the results away: to the clipboard, as CSV, as JSON. */

const SIDES = ["x0", "y0", "x1", "y1"];
const ENTITIES = {
  columns: ["page", "label", "text", "score", ...SIDES],
  cells: ({ page, label, text, score, box }) => [`${page + 1}`, escapeFormula(label), escapeFormula(text), number(score), ...sides(box)],
};
const FIELDS = {
  columns: ["page", "section", "key", "value", "type", "normalized", "score", ...SIDES.map((side) => `key_${side}`), ...SIDES.map((side) => `value_${side}`)],
  cells: (field) => [
    `${field.page + 1}`,
    ...[field.section, field.key, field.value, field.value_type, field.value_normalized].map(escapeFormula),
    number(field.score),
    ...sides(field.key_box),
    ...sides(field.value_box),
  ],
};
const FORMATS = { entities: ENTITIES, fields: FIELDS };

/** CSV of the table's rows, "entities" or "fields"; boxes in thousandths of the page. A byte-order mark is for spreadsheets. */
export function csv(rows, kind = "entities") {
  return `\ufeff${lines(rows, kind).map((row) => row.map(quoted).join(",")).join("\r\n")}\r\n`;
}

/** The same for pasting: tabs between the cells. */
export function tabbed(rows, kind = "entities") {
  return lines(rows, kind).map((row) => row.map((cell) => cell.replace(/[\t\r\n]+/g, " ")).join("\t")).join("\n");
}

/** Put text on the clipboard; returns whether it is there. Pages over plain HTTP have no `navigator.clipboard`. */
export async function copyText(text) {
  if (navigator.clipboard && window.isSecureContext) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return copyBySelection(text); // not permitted
    }
  }
  return copyBySelection(text);
}

/** Save a text as a file. */
export function save(text, mediaType, name) {
  const address = URL.createObjectURL(new Blob([text], { type: `${mediaType};charset=utf-8` }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}

/** "scan.pdf" as "scan.csv". */
export function renamed(name, extension) {
  return `${name.replace(/\.[^.]*$/, "") || "document"}.${extension}`;
}

function lines(rows, kind) {
  const { columns, cells } = FORMATS[kind];
  return [columns, ...rows.map(cells)];
}

function number(score) {
  return score === null || score === undefined ? "" : score.toFixed(4);
}

function sides(box) {
  return box ? box.map(String) : ["", "", "", ""];
}

/** A document's text must not run as a formula in a spreadsheet: a leading apostrophe marks it as text. */
function escapeFormula(value) {
  const text = value ?? "";
  return /^\s*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20|%]/.test(text) ? `'${text}` : text;
}

function quoted(cell) {
  return /[",\r\n;\t]|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

function copyBySelection(text) {
  const area = document.createElement("textarea");
  const focused = document.activeElement;
  area.value = text;
  area.className = "unseen";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return done;
}
