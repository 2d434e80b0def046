/** Taking the results away: to the clipboard, as CSV, as JSON. */

const COLUMNS = ["page", "label", "text", "score", "x0", "y0", "x1", "y1"];

/** CSV of the table's rows; boxes are in thousandths of the page. Starts with a byte-order mark for spreadsheets. */
export function csv(rows) {
  return `\ufeff${[COLUMNS, ...rows.map(cells)].map((row) => row.map(quoted).join(",")).join("\r\n")}\r\n`;
}

/** The same for pasting: tabs between the cells. */
export function tabbed(rows) {
  return [COLUMNS, ...rows.map(cells)].map((row) => row.map((cell) => cell.replace(/[\t\r\n]+/g, " ")).join("\t")).join("\n");
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

function cells({ page, label, text, score, box }) {
  const numbers = [score === null || score === undefined ? "" : score.toFixed(4), ...(box || ["", "", "", ""])];
  return [`${page + 1}`, escapeFormula(label), escapeFormula(text ?? ""), ...numbers.map(String)];
}

/** A document's text must not run as a formula in a spreadsheet: a leading apostrophe marks it as text. */
function escapeFormula(text) {
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
