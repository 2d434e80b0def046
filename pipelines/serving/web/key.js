/** The API key: asked for if the server requires one, and kept in this tab only. */

import { byId } from "./elements.js";

const NAME = "layoutlmv2-api-key";

/** The key given in this tab, or null. */
export function currentKey() {
  return sessionStorage.getItem(NAME);
}

/** Ask for a key; `wrong` says that the last one was refused. Resolves to null if none is given. */
export function askForKey(wrong) {
  const dialog = byId("key-dialog");
  const field = byId("key");
  byId("key-wrong").hidden = !wrong;
  field.value = "";
  return new Promise((resolve) => {
    const settle = () => {
      const key = dialog.returnValue === "submitted" ? field.value.trim() : "";
      field.value = "";
      if (key) sessionStorage.setItem(NAME, key);
      else sessionStorage.removeItem(NAME);
      resolve(key || null);
    };
    dialog.returnValue = "";
    dialog.addEventListener("close", settle, { once: true });
    byId("key-cancel").onclick = () => dialog.close("");
    byId("key-form").onsubmit = (event) => {
      event.preventDefault();
      dialog.close("submitted");
    };
    dialog.showModal();
    field.focus();
  });
}
