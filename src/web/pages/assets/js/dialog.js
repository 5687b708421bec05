// Dialogs. A link with `data-dialog="ID"` opens the dialog with that id instead of following its address, which leads
// to a page with the dialog open. Each element of the dialog with `data-fill="NAME"` is set to the link's `data-NAME`:
// form fields by value, other elements by text.
import { clear } from "./mistakes.js";
import { focus } from "./swap.js";

// The id of the element that opened the dialog. A live update may replace the element itself.
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
    // The server renders the dialog open for browsers without scripts.
    if (dialog.open) {
      opener = dialog.dataset.opener ?? "";
      open(dialog);
    }
    watch(dialog);
  }
}
