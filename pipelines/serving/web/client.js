/** The endpoint, as this page talks to it. */

import { ServiceError } from "./errors.js";
import { askForKey, currentKey } from "./key.js";

/** `{models, limits}` of the server; see `/v1/models`. */
export async function fetchModels() {
  const response = await send("v1/models", {});
  return response.json();
}

/**
 * Have a document read: yields `{document}` and then a `{page}` for each page, as they get ready.
 *
 * `asked` is `{file, model, pages, questions}`, all but the file optional. Throws `ServiceError`, or an `AbortError`
 * when `signal` ends it.
 */
export async function* extract(asked, signal) {
  const form = new FormData();
  for (const question of asked.questions || []) form.append("questions", question);
  if (asked.pages) form.append("pages", asked.pages);
  if (asked.model) form.append("model", asked.model);
  form.append("previews", "true");
  form.append("file", asked.file, asked.file.name);
  const response = await send("v1/extract", {
    method: "POST",
    body: form,
    headers: { Accept: "application/x-ndjson" },
    signal,
  });
  for await (const line of lines(response.body)) {
    const message = parse(line);
    if (message.error_kind) throw new ServiceError(response.status, message.error_kind, message.error);
    yield message;
  }
}

/** Send a request with the key, if there is one; a refused one asks for the key and goes out again. */
async function send(address, options) {
  for (let key = currentKey(); ; ) {
    const headers = { ...options.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
    const response = await reach(address, { ...options, headers });
    if (response.ok) return response;
    if (response.status !== 401) throw await refusal(response);
    const given = await askForKey(Boolean(key));
    if (!given) throw await refusal(response);
    key = given;
  }
}

async function reach(address, options) {
  try {
    return await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError(0, null, "");
  }
}

async function refusal(response) {
  const seconds = Number.parseInt(response.headers.get("Retry-After") || "", 10);
  const body = parse(await response.text());
  return new ServiceError(response.status, body.error_kind, body.error, Number.isNaN(seconds) ? null : seconds);
}

/** A line of the answer; what is no JSON (a proxy's page, a line cut short) is an error like any other. */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return { error_kind: "internal", error: "The answer broke off or is not the reader's own." };
  }
}

async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let pending = [];
  try {
    for (;;) {
      const { done, value } = await read(reader);
      if (done) break;
      const parts = value.split("\n");
      for (const part of parts.slice(0, -1)) {
        const line = pending.join("") + part;
        pending = [];
        if (line.trim()) yield line;
      }
      pending.push(parts[parts.length - 1]);
    }
  } finally {
    reader.cancel().catch(() => null); // it may have ended by itself
  }
  const rest = pending.join("");
  if (rest.trim()) yield rest;
}

async function read(reader) {
  try {
    return await reader.read();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError(0, null, "The connection ended before the answer did.");
  }
}
