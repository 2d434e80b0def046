/** The switch between fields and entities: what the table lists, and what is drawn on the pages. */

import { byId } from "./elements.js";

export class Views {
  /** `onchange()` is called when the user switches. */
  constructor(onchange) {
    this.wanted = "fields";
    this.possible = false;
    for (const name of ["fields", "entities"]) {
      byId(`show-${name}`).addEventListener("click", () => {
        this.choose(name);
        onchange();
      });
    }
  }

  /** Whether fields are shown: they are until the user wants entities, if there are any. */
  get fields() {
    return this.possible && this.wanted === "fields";
  }

  /** Say whether the document has fields; without any there is nothing to switch. */
  offer(possible) {
    this.possible = possible;
    byId("views").hidden = !possible;
    this.#draw();
  }

  choose(name) {
    this.wanted = name;
    this.#draw();
  }

  #draw() {
    byId("show-fields").setAttribute("aria-pressed", String(this.fields));
    byId("show-entities").setAttribute("aria-pressed", String(!this.fields));
  }
}
