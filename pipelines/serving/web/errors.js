/** Errors in words, each with a way out. */

/** What the server sent instead of a result. */
export class ServiceError extends Error {
  /** `status` is 0 if there was no response; `retryAfter` is in seconds or null. */
  constructor(status, kind, reason, retryAfter = null) {
    super(reason || "");
    this.status = status;
    this.kind = kind;
    this.retryAfter = retryAfter;
  }
}

const ADVICE = {
  unreadable: "Open it in a viewer: if that fails too, get the original again; if it opens, save or print it as a new PDF.",
  encrypted: "Save a copy without the password and try that one.",
  empty: "It has no page to read. Check that this is the file you meant.",
  unsupported: "Save it as PDF, PNG, JPEG or TIFF; the message says what it is.",
  too_large: "Send fewer pages (the box “Pages” above) or a smaller scan.",
  timeout: "This page takes longer than the server allows. A simpler or smaller version of it may get through.",
  crashed: "Something in the file crashes the reader. Print it as a new PDF and try that one.",
  out_of_memory: "It needs more memory than the server allows for one page. Try a smaller scan.",
  ocr_failed: "Its text could not be recognised. A cleaner scan may help.",
  not_found: "The server cannot find it any more. Send it again.",
  access_denied: "The server may not read it.",
  internal: "The document is not at fault. Try again; if it fails again, tell whoever runs this server.",
};

const TITLES = {
  unreadable: "This file cannot be opened",
  encrypted: "This file needs a password",
  empty: "This file is empty",
  unsupported: "This kind of file is not supported",
  too_large: "This is more than the server accepts",
  timeout: "This took too long",
  crashed: "The reader crashed on this file",
  out_of_memory: "This needs too much memory",
  ocr_failed: "The text could not be read",
};

const BY_STATUS = {
  0: ["The server cannot be reached", "Check the connection, or whether the server still runs, and try again."],
  400: ["This request cannot be answered", "Change it above, then press “Read again”."],
  401: ["A key is needed", "Give the API key of this server."],
  404: ["The server does not offer this", "Reload this page; the server may have been updated."],
  413: ["This is more than the server accepts", ADVICE.too_large],
  415: ["This kind of file is not supported", ADVICE.unsupported],
  422: ["This document cannot be read", "Check pages and questions, or try another document."],
  429: ["Too many requests", "The server is answering others."],
  503: ["The server is busy", "It is fully occupied, or still starting."],
  504: ["This took too long", "Read fewer pages at once (the box “Pages” above)."],
};

/** `{title, reason, advice}` of an error of `extract` or `fetchModels`. */
export function explain(error) {
  if (!(error instanceof ServiceError)) {
    return { title: "Something went wrong in this page", reason: String(error), advice: "Reload the page and try again." };
  }
  const [title, advice] = BY_STATUS[error.status] || ["The server failed", ADVICE.internal];
  const busy = error.status === 429 || error.status === 503;
  const wait = error.retryAfter ? ` Try again in ${error.retryAfter} seconds.` : " Try again in a moment.";
  return {
    title: busy ? title : TITLES[error.kind] || title,
    reason: error.message,
    advice: busy ? advice + wait : withoutEcho(error.message, ADVICE[error.kind] || advice),
  };
}

/** Whether the same request may succeed later. */
export function mayPass(error) {
  return !(error instanceof ServiceError) || error.status < 400 || [401, 408, 429].includes(error.status) || error.status >= 500;
}

/** The same for a page that failed among others. */
export function explainPage(kind, reason) {
  return { reason: reason || "No reason was given.", advice: withoutEcho(reason, ADVICE[kind] || ADVICE.internal) };
}

/** The advice, unless the reason names a way out itself. */
function withoutEcho(reason, advice) {
  return /\b(try|save|send|use|give|choose|ask|check|print|split)\b/i.test(reason || "") ? "" : advice;
}
