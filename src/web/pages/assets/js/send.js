// Sends forms with `data-send="ADDRESS"` as JSON without leaving the page. `data-toast` names three toasts:
// NAME.sending at once, NAME.sent after a 202, and NAME.refused after any other response, which may show the response's
// `error`. Errors in the response's `fields` are shown in the form, whose dialog opens again.
import { open } from "./dialog.js";
import { clear, show } from "./mistakes.js";
import { toast } from "./toasts.js";

// Returns the filled values of the form's dialog, for its toasts.
function filledIn(form) {
  const places = [...(form.closest("dialog")?.querySelectorAll("[data-fill]") ?? [])];
  return Object.fromEntries(places.map((place) => [place.dataset.fill, place.value ?? place.textContent]));
}

// Shows the errors, unless the dialog is open again already, perhaps for another entry.
function refused(form, name, told) {
  const dialog = form.closest("dialog");
  if (!dialog?.open && show(form, told.fields ?? {}) && dialog) open(dialog);
  return toast(`${name}.refused`, told);
}

async function send(form) {
  const name = form.dataset.toast;
  const values = Object.fromEntries(new FormData(form));
  // These fields are only for a submission without scripts.
  for (const own of (form.dataset.unsent ?? "").split(" ")) delete values[own];
  const sending = toast(`${name}.sending`, filledIn(form));
  try {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(form.dataset.send, { method: "POST", headers, body: JSON.stringify(values) });
    if (answer.status !== 202) return refused(form, name, await answer.json().catch(() => ({})));
    // A live update may already have replaced the toast with a newer one.
    const shown = document.getElementById(sending?.id);
    if (!shown || shown === sending) toast(`${name}.sent`);
    return document.dispatchEvent(new Event("sent"));
  } catch {
    return toast(`${name}.refused`);
  }
}

export function start() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.dataset.send) return;
    event.preventDefault();
    clear(form);
    send(form);
    form.closest("dialog")?.close();
  });
}
