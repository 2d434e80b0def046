/** What the server offers: its models, which of them is chosen, and its limits. */

import { fetchModels } from "./client.js";
import { byId, counted, element } from "./elements.js";
import { currentKey } from "./key.js";

const ABILITIES = {
  "token-classification": ["Finds and labels", "Locates every word, and marks the entities among them in colour."],
  "question-answering": ["Answers questions", "Ask in your own words; the answer is marked on the page."],
  "sequence-classification": ["Names the kind", "Says what kind of page it is, and how likely that is."],
};

export class Service {
  constructor() {
    this.models = [];
    this.limits = {};
  }

  /** Ask the server, and show what it offers. Throws `ServiceError`. */
  async load() {
    const { models, limits } = await fetchModels();
    this.models = models;
    this.limits = limits || {};
    const options = models.map(({ name, task }) => element("option", { value: name }, models.length > 1 ? `${name} (${taskName(task)})` : name));
    byId("model").replaceChildren(...options);
    byId("model").value = (models.find((model) => model.default) || models[0]).name;
    byId("model-choice").hidden = models.length < 2;
    byId("options").hidden = false;
    byId("programs").hidden = Boolean(currentKey()); // a link cannot carry the key that it would need
    byId("limits").textContent = this.#limitsInWords();
    byId("abilities").replaceChildren(...this.#abilities());
  }

  /** The model chosen, or null before the models are known. */
  get chosen() {
    return this.models.find(({ name }) => name === byId("model").value) || null;
  }

  /** The model that answers questions: the chosen one if it can, else the first that can, else null. */
  get answering() {
    const answers = ({ task }) => task === "question-answering";
    return this.chosen && answers(this.chosen) ? this.chosen : this.models.find(answers) || null;
  }

  /** Why a file is not worth sending, as `[kind, reason]`, or null. */
  refusal(file) {
    const maximum = this.limits.upload_megabytes;
    if (!file.size) return ["empty", "The file is empty."];
    if (maximum && file.size > maximum * 1e6) return ["too_large", `The file is larger than the ${maximum} MB accepted here. Send fewer pages or a smaller scan.`];
    return null;
  }

  #limitsInWords() {
    const { upload_megabytes: megabytes, pages } = this.limits;
    const limits = [megabytes ? `${megabytes} MB` : null, pages ? counted(pages, "page") : null].filter(Boolean);
    return `PDF or image${limits.length ? `, up to ${limits.join(" and ")}` : ""}.`;
  }

  #abilities() {
    const tasks = [...new Set(this.models.map(({ task }) => task))];
    if (tasks.length < 2) return []; // the first words of the page say so already
    return Object.keys(ABILITIES)
      .filter((task) => tasks.includes(task))
      .map((task) => element("li", {}, element("strong", {}, ABILITIES[task][0]), element("span", {}, ABILITIES[task][1])));
  }
}

function taskName(task) {
  return { "token-classification": "entities", "question-answering": "questions", "sequence-classification": "classes" }[task] || task;
}
