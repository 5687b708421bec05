// A date in the past is asked about once: a form with `data-zone` and an element `data-past`, which holds the question.
// Another date is asked about anew.

// Whether a date, and on the day itself a time, is over in a zone.
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
