/** The open document: its pages, and all that was found or answered on them. */

import { pageFields, typedFields } from "./fields.js";

const FIELD_COLUMNS = ["section", "key", "value", "value_type", "value_normalized", "score", "key_box", "value_box", "text_source", "needs_review"];

export class Reading {
  constructor(file) {
    this.file = file;
    this.document = null;
    this.pages = new Map(); // by page_index, from 0
    this.model = null; // the one that found the entities or classes
    this.foundBy = null; // the same with the hash of its weights
    this.questions = []; // in the order in which they were asked
  }

  /** Add a row; a page that is read again (another model, other questions) keeps its other results. */
  add(row) {
    const page = this.pages.get(row.page_index) || { index: row.page_index, answers: new Map(), picture: null };
    this.pages.set(row.page_index, page);
    if (row.preview && !page.picture) page.picture = picture(row.preview);
    delete row.preview;
    page.count = row.page_count;
    page.failed = row.status === "failed" ? { kind: row.error_kind, reason: row.error } : null;
    if (page.failed) {
      page.words = page.words || [];
      return page;
    }
    page.row = { ...page.row, ...withoutNulls(row, page.row) };
    page.words = row.words || [];
    page.boxes = row.boxes || [];
    page.confidences = row.word_confidences;
    if (row.entities || row.label_scores) this.foundBy = row.model;
    if (row.entities) {
      page.entities = row.entities.map((entity, index) => ({ ...entity, id: `p${row.page_index}e${index}` }));
      page.labels = row.labels;
      page.scores = row.scores;
    }
    if (row.label_scores) {
      const pairs = Array.isArray(row.label_scores) ? row.label_scores : Object.entries(row.label_scores);
      page.classes = pairs.map(([label, score]) => ({ label, score })).sort((a, b) => b.score - a.score);
    }
    if (row.pairs !== undefined || !page.fields) page.fields = pageFields(page.row); // answers to questions leave the types
    for (const answer of row.answers || []) page.answers.set(answer.question, answer);
    return page;
  }

  /** Take in the fields of the document with their types; returns the pages on which there are others than before. */
  addFields(fields) {
    const byPage = new Map();
    for (const field of fields) {
      if (!byPage.has(field.page_index)) byPage.set(field.page_index, []);
      byPage.get(field.page_index).push(field);
    }
    const changed = [];
    for (const [index, found] of byPage) {
      const page = this.pages.get(index);
      if (!page?.row) continue;
      if (found.length !== page.fields.length) changed.push(page);
      page.fields = typedFields(found, page.row);
    }
    return changed;
  }

  /** Remove what another model found; words, pictures and answers stay. */
  forgetFindings() {
    this.foundBy = null;
    for (const page of this.pages.values()) {
      for (const name of ["entities", "labels", "scores", "classes"]) delete page[name];
      for (const name of ["entities", "pairs", "labels", "scores", "label", "score", "label_scores"]) delete page.row?.[name];
      page.fields = pageFields(page.row || {});
    }
  }

  inOrder() {
    return [...this.pages.values()].sort((a, b) => a.index - b.index);
  }

  /** Rows for the table, as `{page, label, text, score, box, id}`: entities, and the class of a page. */
  findings() {
    return this.inOrder().flatMap((page) => [
      ...(page.classes || []).slice(0, 1).map(({ label, score }) => ({ page: page.index, label, text: null, score, box: null, id: null })),
      ...(page.entities || []).map((entity) => ({ page: page.index, ...entity })),
    ]);
  }

  /** Fields of all pages, as `pageFields` gives them. */
  fields() {
    return this.inOrder().flatMap((page) => page.fields || []);
  }

  /** For each question its answers over the pages, best first; `searched` is the number of pages it was asked of. */
  answers() {
    return this.questions.map((question) => {
      const given = this.inOrder().filter((page) => page.answers.has(question));
      const found = given.map((page) => ({ page: page.index, ...page.answers.get(question) })).filter(({ text }) => text !== null);
      return { question, searched: given.length, found: found.sort((a, b) => b.score - a.score) };
    });
  }

  /** The document and its pages in the format of the endpoint, for saving. */
  record() {
    const pages = this.inOrder().map((page) => ({
      ...(page.row || { page_index: page.index, page_count: page.count }),
      ...(page.answers.size ? { answers: [...page.answers.values()] } : {}),
      ...(page.failed ? { status: "failed", error_kind: page.failed.kind, error: page.failed.reason } : {}),
    }));
    return { document: this.document, pages };
  }

  /** The document and its fields, for saving. */
  fieldRecord() {
    const fields = this.fields().map((field) => ({
      page_index: field.page,
      ...Object.fromEntries(FIELD_COLUMNS.map((name) => [name, field[name] ?? null])),
    }));
    return { document: this.document, fields };
  }

  /** Release the pictures. */
  close() {
    for (const page of this.pages.values()) if (page.picture) URL.revokeObjectURL(page.picture);
  }
}

/** Numbers (from 1) of the pages that were requested and did not arrive. */
export function missingPages({ request, total, arrived }, pageCount) {
  const requested = request.pages ? pageNumbers(request.pages, pageCount ?? total) : Array.from({ length: total }, (_, index) => index + 1);
  return requested.filter((number) => !arrived.has(number - 1));
}

/** Page numbers (from 1) that a text such as "1-3,7" names, of a document with `count` pages. */
function pageNumbers(ranges, count) {
  const numbers = new Set();
  for (const range of ranges.split(",")) {
    const [first, last = first] = range.split("-").map((part) => Number.parseInt(part, 10));
    for (let number = first; number <= Math.min(last, count); number += 1) numbers.add(number);
  }
  return [...numbers].sort((a, b) => a - b);
}

/** The reverse: [1, 2, 3, 7] as "1-3,7". */
export function pageRanges(numbers) {
  const ranges = [];
  for (const number of numbers) {
    const last = ranges[ranges.length - 1];
    if (last && last[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(",");
}

/** One box per line of boxes in reading order: the hull of a long entity would cover half the page. */
export function lineBoxes(boxes) {
  const lines = [];
  for (const [x0, y0, x1, y1] of boxes) {
    const line = lines[lines.length - 1];
    const shared = line ? Math.min(line[3], y1) - Math.max(line[1], y0) : 0;
    const goesOn = line && shared > 0.5 * Math.min(line[3] - line[1], y1 - y0) && x0 >= line[0] && x0 - line[2] < 120;
    if (goesOn) {
      lines[lines.length - 1] = [line[0], Math.min(line[1], y0), Math.max(line[2], x1), Math.max(line[3], y1)];
    } else {
      lines.push([x0, y0, x1, y1]);
    }
  }
  return lines;
}

/** `row` without the nulls that would replace a value of `known`. */
function withoutNulls(row, known = {}) {
  return Object.fromEntries(Object.entries(row).filter(([name, value]) => value !== null || !(name in known)));
}

/** The URL of a JPEG given in base64, valid until `close`. */
function picture(base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
}
