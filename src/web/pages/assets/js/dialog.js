// Dialogs: a link `data-dialog="ID"` opens the dialog of that id instead of the page that has it open. What the dialog
// marks as `data-fill="NAME"` becomes the link's `data-NAME`: the value of a field, the text of anything else.
import { clear } from "./mistakes.js";
import { focus } from "./swap.js";

// The id of what opened a dialog: the element itself may be swapped meanwhile.
let opener = "";

function fill(dialog, link) {
  for (const place of dialog.querySelectorAll("[data-fill]")) {
    place["value" in place ? "value" : "textContent"] = link.dataset[place.dataset.fill] ?? "";
  }
}

export function open(dialog) {
  dialog.close();
  dialog.showModal();
  const first = dialog.querySelector("[aria-invalid=true]") ?? dialog.querySelector("[autofocus], input:not([type=hidden])");
  first?.focus();
}

function watch(dialog) {
  dialog.addEventListener("close", () => {
    if (!dialog.open) focus(opener, document.querySelector("[data-live]"));
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) {
      event.preventDefault();
      dialog.close();
    }
  });
}

export function start() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-dialog]");
    const dialog = link && document.getElementById(link.dataset.dialog);
    if (!dialog || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    fill(dialog, link);
    for (const form of dialog.querySelectorAll("form")) clear(form);
    open(dialog);
    opener = link.id;
  });
  for (const dialog of document.querySelectorAll("dialog")) {
    // Rendered open for browsers without script.
    if (dialog.open) {
      opener = dialog.dataset.opener ?? "";
      open(dialog);
    }
    watch(dialog);
  }
}
