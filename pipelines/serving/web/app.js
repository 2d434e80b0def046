/** The web page: what happens when, and which part shows it. */

import { extract } from "./client.js";
import { announce, byId, counted } from "./elements.js";
import { mayPass, ServiceError } from "./errors.js";
import { copyText, csv, renamed, save, tabbed } from "./export.js";
import { fileSize, takeDocuments } from "./intake.js";
import { entityListing, fieldListing } from "./listings.js";
import { Pages } from "./pages.js";
import { Palette } from "./palette.js";
import { clearProblem, showProblem } from "./problem.js";
import { Questions } from "./questions.js";
import { missingPages, pageRanges, Reading } from "./reading.js";
import { Service } from "./service.js";
import { Table } from "./table.js";
import { Thumbnails } from "./thumbnails.js";
import { hideTip } from "./tip.js";
import { Views } from "./views.js";

const service = new Service();
const palette = new Palette();
const thumbnails = new Thumbnails((index) => go(index));
const pages = new Pages(palette, { onchoose: chooseFinding, onview: (index) => thumbnails.view(index) });
const listings = { fields: fieldListing(palette), entities: entityListing(palette) };
const table = new Table(listings.entities, {
  onchoose: (row) => go(row.page, row.id),
  onpoint: (row, whether) => pages.light(row.page, whether ? row.id : null),
});
const views = new Views(() => refreshFindings());
const questions = new Questions({ onask: ask, onreveal: go });
let reading = null; // the open document
let running = null; // {controller, request, arrived, total} while a document is being read

/** Open a document: read it, or wait for a question if that is all the model answers. */
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
  showView("pages");
  refreshFindings();
  read();
}

/** Read the document with the chosen model and pages. */
function read() {
  const model = service.chosen;
  if (model?.task === "question-answering") {
    if (reading.questions.length) askModel(reading.questions);
    else {
      hideProblem();
      pages.wait("The pages appear here once you ask a question");
      showView("results");
      questions.prompt();
    }
    return;
  }
  if (reading.model && reading.model !== model?.name) {
    reading.forgetFindings();
    pages.redraw();
  }
  reading.model = model?.name || null;
  palette.reserve(model?.labels || []);
  run({ file: reading.file, model: model?.name, pages: selectedPages() });
}

/** Ask questions about the open document; its file is sent again, for the server keeps none. */
function ask(newQuestions) {
  if (!reading) {
    byId("file").click();
    return;
  }
  reading.questions.push(...newQuestions.filter((question) => !reading.questions.includes(question)));
  questions.clearInput();
  askModel(newQuestions);
}

function askModel(texts) {
  const model = service.answering;
  for (const page of reading.pages.values()) for (const question of texts) page.answers.delete(question);
  run({ file: reading.file, model: model.name, pages: selectedPages(), questions: texts });
}

async function run(request) {
  stop();
  hideProblem();
  const refused = service.refusal(request.file);
  if (refused) {
    fail(new ServiceError(413, ...refused), null);
    return;
  }
  const controller = new AbortController();
  const own = { controller, request, arrived: new Set(), total: null, started: performance.now() };
  running = own;
  byId("rest").hidden = true;
  showProgress(`Sending ${request.file.name}…`);
  try {
    for await (const message of extract(request, controller.signal)) {
      if (running !== own) return;
      receive(message);
    }
    finish(own, null);
  } catch (error) {
    if (running === own) finish(own, error);
  }
}

/** Take in a part of the answer: the document first, then page by page. */
function receive({ document: opened, page: row, fields }) {
  if (opened) {
    reading.document = opened;
    running.total = opened.pages_selected ?? opened.page_count;
    showFacts();
    if (opened.status === "failed") throw new ServiceError(422, opened.error_kind, opened.error);
  }
  if (row) {
    const page = reading.add(row);
    running.arrived.add(page.index);
    pages.show(page);
    thumbnails.show(page);
    if (reading.pages.size === 1) thumbnails.view(page.index);
    refreshSoon();
  }
  for (const page of fields ? reading.addFields(fields) : []) pages.show(page);
  if (running.total) {
    const next = Math.min(running.arrived.size + 1, running.total);
    showProgress(`Reading page ${next} of ${running.total}`, running.arrived.size, running.total);
  }
}

function finish(ended, error) {
  running = null;
  byId("progress").hidden = true;
  questions.busy(false);
  pages.wait(null);
  refreshFindings();
  const stopped = error?.name === "AbortError";
  const missing = ended.total ? missingPages(ended, reading.document.page_count) : [];
  byId("rest").hidden = !missing.length || !ended.arrived.size;
  byId("rest").textContent = missing.length === 1 ? "Read the other page" : `Read the other ${missing.length} pages`;
  byId("rest").onclick = () => run({ ...ended.request, pages: pageRanges(missing) });
  if (error && !stopped) {
    fail(error, () => run(ended.request));
    return;
  }
  const seconds = ((performance.now() - ended.started) / 1000).toFixed(1);
  const read = counted(ended.arrived.size, "page");
  const words = stopped ? `Stopped after ${ended.arrived.size} of ${ended.total ?? "its"} pages` : `${read} read in ${seconds} s`;
  showFacts(words, !stopped && ended.arrived.size === reading.document?.page_count);
  announce(`${words}. ${summary()}`);
  if (!stopped && ended.request.questions) byId("answers").querySelector("button")?.scrollIntoView({ block: "nearest" });
}

function stop() {
  running?.controller.abort();
  running = null;
  byId("progress").hidden = true;
  questions.busy(false);
}

function selectedPages() {
  const field = byId("page-ranges");
  return field.reportValidity() ? field.value.replace(/\s/g, "") : "";
}

function showProgress(words, value = null, total = null) {
  byId("progress").hidden = false;
  byId("progress-words").textContent = words;
  const bar = byId("progress-bar");
  bar.max = total ?? 1;
  if (value === null) bar.removeAttribute("value");
  else bar.value = value;
  questions.busy(true);
  pages.wait(value === null || reading.pages.size < total ? words : null);
  const tenth = total ? Math.max(1, Math.ceil(total / 10)) : 1;
  if (value === null || value % tenth === 0) announce(words); // not for every one of three hundred pages
}

function showFacts(outcome = null, whole = false) {
  const { size, name } = reading.file;
  const count = reading.document?.page_count;
  const length = count && !whole ? counted(count, "page") : null;
  byId("file-name").textContent = name;
  byId("file-facts").textContent = [fileSize(size), length, outcome].filter(Boolean).join(" · ");
}

function summary() {
  const fields = reading.fields().length;
  const found = reading.findings().length;
  const answered = reading.answers().filter((answer) => answer.found.length).length;
  const parts = [fields ? counted(fields, "field") : null, found ? counted(found, "finding") : null, reading.questions.length ? `${answered} of ${counted(reading.questions.length, "question")} answered` : null];
  return parts.filter(Boolean).join(", ");
}

let refreshing = null; // the timer
function refreshSoon() {
  refreshing ??= setTimeout(refreshFindings, 250);
}

/** Update legend, table and answers. */
function refreshFindings() {
  clearTimeout(refreshing);
  refreshing = null;
  const findings = reading.findings();
  const fields = reading.fields();
  views.offer(fields.length > 0);
  pages.view(views.fields);
  const rows = views.fields ? fields : findings;
  const counts = new Map(); // of what is drawn: on pages without fields, entities are
  for (const { label, page } of findings) {
    if (!views.fields || !reading.pages.get(page).fields.length) counts.set(label, (counts.get(label) || 0) + 1);
  }
  const words = reading.inOrder().reduce((sum, page) => sum + page.words.length, 0);
  palette.drawLegend(counts, words, views.fields ? fields.length : 0);
  byId("found-by").textContent = reading.foundBy ? `by ${reading.foundBy}` : "";
  table.show(rows, views.fields ? listings.fields : listings.entities);
  byId("without-fields").textContent = views.fields ? withoutFields() : "";
  byId("findings").hidden = !words && !rows.length;
  byId("findings-tools").hidden = byId("table").hidden = !rows.length && service.chosen?.task === "question-answering";
  questions.show(reading.answers(), Boolean(running));
  byId("show-results").textContent = rows.length ? `Results (${rows.length.toLocaleString("en")})` : "Results";
}

/** Which pages have entities only, in words. */
function withoutFields() {
  const numbers = reading.inOrder().filter((page) => page.entities?.length && !page.fields.length).map((page) => page.index + 1);
  if (!numbers.length) return "";
  const named = numbers.length === 1 ? `Page ${numbers[0]} has` : `Pages ${pageRanges(numbers).replaceAll(",", ", ")} have`;
  return `${named} no fields; what was found there is under Entities.`;
}

/** Show an error with the ways out; `retry` repeats what failed, or is null. */
function fail(error, retry) {
  const nothing = reading && !reading.pages.size; // then the first screen shows for the next document
  byId("start").hidden = Boolean(reading) && !nothing;
  byId("start").classList.toggle("once-more", Boolean(nothing));
  byId("work").hidden = !reading || nothing;
  const ways = [];
  if (retry && mayPass(error)) ways.push(["Try again", retry]);
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

/** Return to the document, or to the first screen. */
function hideProblem() {
  clearProblem();
  byId("start").hidden = Boolean(reading);
  byId("work").hidden = !reading;
}

/** A narrow screen shows either the pages or the results. */
function showView(which) {
  byId("work").dataset.view = which;
  byId("show-pages").setAttribute("aria-pressed", String(which === "pages"));
  byId("show-results").setAttribute("aria-pressed", String(which === "results"));
}

function go(index, id = null) {
  showView("pages");
  pages.reveal(index, id);
}

function chooseFinding(id) {
  showView("results");
  if (views.fields && reading.findings().some((row) => row.id === id)) {
    views.choose("entities");
    refreshFindings();
  }
  table.choose(id);
}

/** "scan.csv" for entities, "scan.fields.csv" for fields. */
function savedName(extension) {
  return renamed(reading.file.name, views.fields ? `fields.${extension}` : extension);
}

async function start() {
  hideProblem();
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
byId("show-pages").addEventListener("click", () => showView("pages"));
byId("show-results").addEventListener("click", () => showView("results"));
byId("options").addEventListener("submit", (event) => {
  event.preventDefault();
  if (reading) read();
});
byId("copy").addEventListener("click", async () => {
  const copied = await copyText(tabbed(table.shown(), table.listing.name));
  byId("copy").textContent = copied ? "Copied" : "Not copied";
  announce(copied ? `${counted(table.shown().length, "row")} copied.` : "The browser does not allow copying; use CSV.");
  setTimeout(() => (byId("copy").textContent = "Copy"), 2000);
});
byId("csv").addEventListener("click", () => save(csv(table.shown(), table.listing.name), "text/csv", savedName("csv")));
byId("json").addEventListener("click", () => {
  const record = views.fields ? reading.fieldRecord() : reading.record();
  save(JSON.stringify(record, null, 1), "application/json", savedName("json"));
});
start();
