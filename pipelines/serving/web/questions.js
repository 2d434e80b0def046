/** Questions and their answers. */

import { announce, byId, counted, element, score } from "./elements.js";
import { answerId } from "./overlay.js";

const OTHERS = 4;
const LONG = 60;

export class Questions {
  /** `onask(questions)` sends them; `onreveal(page_index, id)` shows an answer on its page. */
  constructor({ onask, onreveal }) {
    this.form = byId("ask");
    this.lines = byId("question-lines");
    this.onreveal = onreveal;
    this.limit = null;
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const questions = this.#typed();
      if (questions) onask(questions);
    });
    this.lines.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      this.form.requestSubmit();
    });
  }

  /** Whether questions can be asked here, and how many at once. */
  offer(possible, limit) {
    byId("questions").hidden = !possible;
    this.limit = limit || null;
    byId("ask-hint").textContent = limit ? `One question per line, up to ${limit}` : "One question per line";
  }

  /** Disable asking while something is being read. */
  busy(reading) {
    this.form.querySelector("button").disabled = reading;
  }

  /** Ask the user for a question. */
  prompt() {
    this.lines.focus();
    announce("Type a question for the document, then press Ask.");
  }

  clear() {
    this.lines.value = "";
    byId("answers").replaceChildren();
  }

  /** Empty the input. */
  clearInput() {
    this.lines.value = "";
  }

  /** List `Reading.answers`; `busy` says that more pages are still to come. */
  show(answers, busy) {
    byId("answers").replaceChildren(...answers.map((answer, index) => this.#answer(answer, index, busy)));
  }

  #typed() {
    const questions = [...new Set(this.lines.value.split("\n").map((line) => line.trim()).filter(Boolean))];
    const tooMany = this.limit && questions.length > this.limit;
    const problem = !questions.length ? "Type a question first." : tooMany ? `At most ${this.limit} questions at once.` : "";
    this.lines.setCustomValidity(problem);
    this.lines.oninput = () => this.lines.setCustomValidity("");
    return this.lines.reportValidity() ? questions : null;
  }

  #answer({ question, searched, found }, index, busy) {
    const item = element("li", { class: "answer-item" });
    const number = element("span", { class: "badge still", "aria-hidden": "true" }, `${index + 1}`);
    item.append(element("p", { class: "question" }, number, element("span", { dir: "auto" }, question)));
    const [best, ...others] = found;
    if (!best) {
      const words = busy ? "Looking…" : searched ? `No answer found on ${counted(searched, "page")}.` : "Not asked of any page.";
      item.append(element("p", { class: "muted no-answer" }, words));
      return item;
    }
    item.append(
      element(
        "button",
        { type: "button", class: "answer-text", onclick: () => this.onreveal(best.page, answerId(best.page, index)) },
        element("span", { class: `answer-words${best.text.length > LONG ? " long" : ""}`, dir: "auto" }, best.text),
        element("span", { class: "small muted" }, `page ${best.page + 1}, score ${score(best.score)}`),
      ),
    );
    if (others.length) {
      const links = others.slice(0, OTHERS).map((other) =>
        element(
          "button",
          {
            type: "button",
            class: "link",
            title: other.text,
            onclick: () => this.onreveal(other.page, answerId(other.page, index)),
          },
          `page ${other.page + 1} (${score(other.score)})`,
        ),
      );
      item.append(element("p", { class: "small others" }, "Also ", ...links));
    }
    return item;
  }
}
