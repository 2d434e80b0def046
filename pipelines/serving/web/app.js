/** The page for people: what happens when, and which part shows it. */

import { extract } from "./client.js";
import { announce, byId, counted } from "./elements.js";
import { passes, ServiceError } from "./errors.js";
import { copyText, csv, renamed, save, tabbed } from "./export.js";
import { fileSize, takeDocuments } from "./intake.js";
import { Pages } from "./pages.js";
import { Palette } from "./palette.js";
import { clearProblem, showProblem } from "./problem.js";
import { Questions } from "./questions.js";
import { missingPages, pageRanges, Reading } from "./reading.js";
import { Service } from "./service.js";
import { Table } from "./table.js";
import { Thumbnails } from "./thumbnails.js";
import { hideTip } from "./tip.js";

const service = new Service();
const palette = new Palette();
const thumbnails = new Thumbnails((index) => go(index));
const pages = new Pages(palette, { onchoose: chooseFind, onview: (index) => thumbnails.view(index) });
const table = new Table(palette, (row) => go(row.page, row.id));
const questions = new Questions({ onask: ask, onreveal: go });
let reading = null; // of the document on the table
let running = null; // {controller, asked, arrived, total} while one is being read

/** A new document: read it, or wait for a question if that is all the model answers. */
function open(file) {
  stop();
  hideTip();
  reading?.close();
  reading = new Reading(file);
  pages.open(reading);
  thumbnails.open();
  table.open();
  byId("answers").replaceChildren();
  byId("rest").hidden = true;
  byId("file-name").textContent = file.name;
  byId("file-facts").textContent = fileSize(file.size);
  byId("again").hidden = false;
  document.title = `${file.name} – Document reader`;
  window.scrollTo({ top: 0, behavior: "instant" });
  look("pages");
  refreshFindings();
  read();
}

/** Read the document with the chosen model and pages. */
function read() {
  const model = service.chosen;
  if (model?.task === "question-answering") {
    if (reading.questions.length) askModel(reading.questions);
    else {
      settle();
      pages.wait("Ask something, and the pages appear here");
      look("results");
      questions.wanted();
    }
    return;
  }
  if (reading.model && reading.model !== model?.name) {
    reading.forgetFindings();
    pages.redraw();
  }
  reading.model = model?.name || null;
  palette.reserve(model?.labels || []);
  run({ file: reading.file, model: model?.name, pages: wantedPages() });
}

/** Ask questions of the document on the table; the file is sent again, the server keeps none. */
function ask(asked) {
  if (!reading) {
    byId("file").click();
    return;
  }
  reading.questions.push(...asked.filter((question) => !reading.questions.includes(question)));
  questions.answered();
  askModel(asked);
}

function askModel(asked) {
  const model = service.answering;
  for (const page of reading.pages.values()) for (const question of asked) page.answers.delete(question);
  run({ file: reading.file, model: model.name, pages: wantedPages(), questions: asked });
}

async function run(asked) {
  stop();
  settle();
  const refused = service.refusal(asked.file);
  if (refused) {
    fail(new ServiceError(413, ...refused), null);
    return;
  }
  const controller = new AbortController();
  const mine = { controller, asked, arrived: new Set(), total: null, started: performance.now() };
  running = mine;
  byId("rest").hidden = true;
  showProgress(`Sending ${asked.file.name}…`);
  try {
    for await (const message of extract(asked, controller.signal)) {
      if (running !== mine) return;
      take(message);
    }
    finish(mine, null);
  } catch (error) {
    if (running === mine) finish(mine, error);
  }
}

/** A part of the answer: the document at first, then page by page. */
function take({ document: found, page: row }) {
  if (found) {
    reading.document = found;
    running.total = found.pages_selected ?? found.page_count;
    showFacts();
    if (found.status === "failed") throw new ServiceError(422, found.error_kind, found.error);
  }
  if (row) {
    const page = reading.add(row);
    running.arrived.add(page.index);
    pages.show(page);
    thumbnails.show(page);
    if (reading.pages.size === 1) thumbnails.view(page.index);
    refreshSoon();
  }
  if (running.total) {
    const next = Math.min(running.arrived.size + 1, running.total);
    showProgress(`Reading page ${next} of ${running.total}`, running.arrived.size, running.total);
  }
}

function finish(mine, error) {
  running = null;
  byId("progress").hidden = true;
  questions.busy(false);
  pages.wait(null);
  refreshFindings();
  const stopped = error?.name === "AbortError";
  const missing = mine.total ? missingPages(mine, reading.document.page_count) : [];
  byId("rest").hidden = !missing.length || !mine.arrived.size;
  byId("rest").textContent = missing.length === 1 ? "Read the other page" : `Read the other ${missing.length} pages`;
  byId("rest").onclick = () => run({ ...mine.asked, pages: pageRanges(missing) });
  if (error && !stopped) {
    fail(error, () => run(mine.asked));
    return;
  }
  const seconds = ((performance.now() - mine.started) / 1000).toFixed(1);
  const read = counted(mine.arrived.size, "page");
  const words = stopped ? `Stopped after ${mine.arrived.size} of ${mine.total ?? "its"} pages` : `${read} read in ${seconds} s`;
  showFacts(words, !stopped && mine.arrived.size === reading.document?.page_count);
  announce(`${words}. ${summary()}`);
  if (!stopped && mine.asked.questions) byId("answers").querySelector("button")?.scrollIntoView({ block: "nearest" });
}

function stop() {
  running?.controller.abort();
  running = null;
  byId("progress").hidden = true;
  questions.busy(false);
}

function wantedPages() {
  const field = byId("page-ranges");
  return field.reportValidity() ? field.value.replace(/\s/g, "") : "";
}

function showProgress(words, value = null, most = null) {
  byId("progress").hidden = false;
  byId("progress-words").textContent = words;
  const bar = byId("progress-bar");
  bar.max = most ?? 1;
  if (value === null) bar.removeAttribute("value");
  else bar.value = value;
  questions.busy(true);
  pages.wait(value === null || reading.pages.size < most ? words : null);
  const tenth = most ? Math.max(1, Math.ceil(most / 10)) : 1;
  if (value === null || value % tenth === 0) announce(words); // not for each of three hundred pages
}

function showFacts(outcome = null, whole = false) {
  const { size, name } = reading.file;
  const count = reading.document?.page_count;
  const length = count && !whole ? counted(count, "page") : null;
  byId("file-name").textContent = name;
  byId("file-facts").textContent = [fileSize(size), length, outcome].filter(Boolean).join(" · ");
}

function summary() {
  const found = reading.findings().length;
  const answered = reading.answers().filter((answer) => answer.found.length).length;
  const parts = [found ? counted(found, "find") : null, reading.questions.length ? `${answered} of ${counted(reading.questions.length, "question")} answered` : null];
  return parts.filter(Boolean).join(", ");
}

let refreshing = null; // the timer
function refreshSoon() {
  refreshing ??= setTimeout(refreshFindings, 250);
}

/** Legend, table and answers, from what is known now. */
function refreshFindings() {
  clearTimeout(refreshing);
  refreshing = null;
  const rows = reading.findings();
  const counts = new Map();
  for (const { label } of rows) counts.set(label, (counts.get(label) || 0) + 1);
  const words = reading.inOrder().reduce((sum, page) => sum + page.words.length, 0);
  palette.drawLegend(counts, words);
  byId("found-by").textContent = reading.foundBy ? `by ${reading.foundBy}` : "";
  table.show(rows);
  byId("findings").hidden = !words && !rows.length;
  byId("findings-tools").hidden = byId("table").hidden = !rows.length && service.chosen?.task === "question-answering";
  questions.show(reading.answers(), Boolean(running));
  byId("show-results").textContent = rows.length ? `Results (${rows.length.toLocaleString("en")})` : "Results";
}

/** Say what went wrong and offer the ways out; `retry` is what the same again would be, or null. */
function fail(error, retry) {
  const nothing = reading && !reading.pages.size; // then the first screen takes the next document
  byId("start").hidden = Boolean(reading) && !nothing;
  byId("start").classList.toggle("once-more", Boolean(nothing));
  byId("work").hidden = !reading || nothing;
  const ways = [];
  if (retry && passes(error)) ways.push(["Try again", retry]);
  if (tooManyPages(error)) ways.push([`Read the first ${service.limits.pages} pages`, readFirst]);
  if (reading && !nothing) ways.push(["Choose another document", () => byId("file").click()]);
  showProblem(error, reading?.file.name, ways);
}

function tooManyPages(error) {
  return reading && error.kind === "too_large" && error.status === 413 && service.limits.pages && !service.refusal(reading.file);
}

function readFirst() {
  byId("page-ranges").value = `1-${service.limits.pages}`;
  read();
}

/** Back to the document, or to the first screen. */
function settle() {
  clearProblem();
  byId("start").hidden = Boolean(reading);
  byId("work").hidden = !reading;
}

/** On a narrow screen pages and results take turns. */
function look(which) {
  byId("work").dataset.look = which;
  byId("show-pages").setAttribute("aria-pressed", String(which === "pages"));
  byId("show-results").setAttribute("aria-pressed", String(which === "results"));
}

function go(index, id = null) {
  look("pages");
  pages.reveal(index, id);
}

function chooseFind(id) {
  look("results");
  table.choose(id);
}

async function start() {
  settle();
  try {
    await service.load();
  } catch (error) {
    fail(error, start);
    return;
  }
  questions.offer(Boolean(service.answering), service.limits.questions);
  if (reading) read();
}

takeDocuments(open);
palette.onchange = () => {
  pages.refresh();
  table.draw();
};
byId("cancel").addEventListener("click", () => running?.controller.abort());
byId("show-pages").addEventListener("click", () => look("pages"));
byId("show-results").addEventListener("click", () => look("results"));
byId("options").addEventListener("submit", (event) => {
  event.preventDefault();
  if (reading) read();
});
byId("copy").addEventListener("click", async () => {
  const copied = await copyText(tabbed(table.shown()));
  byId("copy").textContent = copied ? "Copied" : "Not copied";
  announce(copied ? `${counted(table.shown().length, "row")} copied.` : "The browser does not allow copying; use CSV.");
  setTimeout(() => (byId("copy").textContent = "Copy"), 2000);
});
byId("csv").addEventListener("click", () => save(csv(table.shown()), "text/csv", renamed(reading.file.name, "csv")));
byId("json").addEventListener("click", () => save(JSON.stringify(reading.record(), null, 1), "application/json", renamed(reading.file.name, "json")));
start();
