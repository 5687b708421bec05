// Asks once about a date in the past: a form with `data-zone`, with the question in an element `data-past`. After a
// change of the date it asks again.

// Returns whether a date, or a time of the current day, is in the past in `timeZone`.
function isPast(date, time, timeZone) {
  const [today, now] = new Date().toLocaleString("sv-SE", { timeZone }).split(" ");
  return Boolean(date) && (date < today || (date === today && Boolean(time) && time < now.slice(0, time.length)));
}

export function start() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const question = form.querySelector("[data-past]");
    const [date, time] = ["date", "time"].map((type) => form.querySelector(`input[type=${type}]`)?.value);
    if (!question?.hidden || !isPast(date, time, form.dataset.zone)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    question.hidden = false;
  }, true);
  document.addEventListener("input", (event) => {
    const question = event.target.form?.querySelector("[data-past]");
    if (!question || !["date", "time"].includes(event.target.type)) return;
    question.hidden = true;
    event.target.form.querySelector("[name=pastIsMeant]")?.remove();
  });
}
