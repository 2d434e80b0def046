/** The endpoint, as this page uses it. */

import { ServiceError } from "./errors.js";
import { askForKey, currentKey } from "./key.js";

/** `{models, limits}` of the server; see `/v1/models`. */
export async function fetchModels() {
  const response = await send("v1/models", {});
  return response.json();
}

/**
 * Have a document read: yields `{document}` and then `{page}` for each page, as they get ready.
 *
 * `request` is `{file, model, pages, questions}`, all but the file optional. Throws `ServiceError`, or an `AbortError`
 * if `signal` is aborted.
 */
export async function* extract(request, signal) {
  const form = new FormData();
  for (const question of request.questions || []) form.append("questions", question);
  if (request.pages) form.append("pages", request.pages);
  if (request.model) form.append("model", request.model);
  form.append("previews", "true");
  form.append("file", request.file, request.file.name);
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

/** Send a request with the key, if there is one; if it is refused, ask for a key and send it again. */
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

/** A line of the answer; what is not JSON (a proxy's page, a truncated line) becomes an error. */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return { error_kind: "internal", error: "The answer was cut short, or did not come from this server." };
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
    reader.cancel().catch(() => null); // it may have ended already
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
