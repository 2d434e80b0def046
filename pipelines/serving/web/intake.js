/** How documents come in: dropped, chosen or pasted. */

import { byId } from "./elements.js";

/** Call `onfile(file)` for every document that comes in. */
export function takeDocuments(onfile) {
  const chooser = byId("file");
  chooser.addEventListener("change", () => {
    const [file] = chooser.files;
    chooser.value = ""; // so that the same file can be chosen again
    if (file) onfile(file);
  });
  byId("another").addEventListener("click", () => chooser.click());
  document.addEventListener("paste", (event) => {
    const [file] = event.clipboardData?.files || [];
    if (file) onfile(file);
  });
  takeDropped(onfile);
}

function takeDropped(onfile) {
  let depth = 0; // entering a child comes before leaving its parent
  const show = () => {
    byId("dropping").hidden = depth === 0;
    byId("drop").classList.toggle("over", depth > 0);
  };
  const dragged = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
  document.addEventListener("dragenter", (event) => {
    if (!dragged(event)) return;
    depth += 1;
    show();
  });
  document.addEventListener("dragleave", (event) => {
    if (!dragged(event)) return;
    depth = Math.max(0, depth - 1);
    show();
  });
  document.addEventListener("dragover", (event) => {
    if (!dragged(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  document.addEventListener("drop", (event) => {
    if (!dragged(event)) return;
    event.preventDefault();
    depth = 0;
    show();
    const [file] = event.dataTransfer.files;
    if (file) onfile(file);
  });
}

/** "2.1 MB". */
export function fileSize(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  const [unit, name] = bytes < 1e6 ? [1e3, "kB"] : [1e6, "MB"];
  return `${(bytes / unit).toFixed(bytes / unit < 10 ? 1 : 0)} ${name}`;
}
