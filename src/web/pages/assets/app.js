"use strict";
// Live updates, toasts, dialogs. A page works without any of it; nothing is decided here.
(() => {
  document.documentElement.classList.add("js");

  // Toasts: one per id, three at most, each with its time.
  const toasts = document.getElementById("toasts");
  function toast(kind, title, text, { id = "", seconds = 0 } = {}) {
    const old = id && toasts.querySelector(`[data-id="${id}"]`);
    const box = document.createElement("div");
    box.className = `toast ${kind}`;
    box.dataset.id = id;
    const head = document.createElement("strong");
    head.textContent = title;
    const close = document.createElement("button");
    close.type = "button";
    close.setAttribute("aria-label", "Close");
    close.textContent = "×";
    close.addEventListener("click", () => box.remove());
    const rest = document.createElement("span");
    rest.textContent = text;
    box.append(head, close, rest);
    if (old) old.replaceWith(box); else toasts.append(box);
    while (toasts.children.length > 3) toasts.firstElementChild.remove();
    if (seconds) setTimeout(() => box.remove(), seconds * 1000);
  }

  const live = document.getElementById("live");
  if (!live) return;
  const request = live.dataset.request;

  // The part that changes is rendered by the server and swapped in as it is.
  let fetching = null, again = false;
  async function refresh() {
    if (fetching) { again = true; return; }
    fetching = (async () => {
      try {
        const address = new URL(location.href);
        address.searchParams.set("fragment", live.dataset.fragment ?? "main");
        const answer = await fetch(address, { credentials: "same-origin" });
        if (answer.ok && !live.querySelector("details[open]")) live.innerHTML = await answer.text();
      } catch { /* The next event, or the visitor, tries again. */ }
      enhance();
    })();
    await fetching;
    fetching = null;
    if (again) { again = false; refresh(); }
  }

  function elapsed() {
    for (const place of live.querySelectorAll("[data-since]")) {
      const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(place.dataset.since)) / 1000));
      place.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    }
  }
  setInterval(elapsed, 1000);

  function enhance() {
    elapsed();
    for (const button of live.querySelectorAll("[data-close]")) button.hidden = false;
  }
  enhance();

  // A card's form is a dialog: focus goes in, Escape and a click beside it close it.
  live.addEventListener("toggle", (event) => {
    if (event.target.open) event.target.querySelector("input:not([type=hidden])")?.focus();
  }, true);
  live.addEventListener("click", (event) => {
    const details = event.target.closest("details.book");
    if (details && (event.target === details || event.target.closest("[data-close]"))) details.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") for (const details of live.querySelectorAll("details[open]")) details.open = false;
  });

  // Whether a date, and on the day itself a time, is over where the business is.
  function isPast(date, time, timeZone) {
    const [today, now] = new Date().toLocaleString("sv-SE", { timeZone }).split(" ");
    return Boolean(date) && (date < today || (date === today && Boolean(time) && time < now.slice(0, time.length)));
  }

  // A date in the past is asked about once; another date is asked about anew.
  live.addEventListener("input", (event) => {
    const form = event.target.form;
    if (!form?.dataset.provider || !event.target.name.startsWith("preferred")) return;
    form.querySelector("[data-past]").hidden = true;
    form.querySelector("[name=pastIsMeant]")?.remove();
  });

  live.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.dataset.provider) return;
    event.preventDefault();
    const values = Object.fromEntries(new FormData(form));
    delete values.csrf;
    delete values.pastIsMeant;
    const question = form.querySelector("[data-past]");
    if (question.hidden && isPast(values.preferredDate, values.preferredTime, form.dataset.zone)) {
      question.hidden = false;
      return;
    }
    form.closest("details").open = false;
    const id = "booking-toast", name = form.dataset.name;
    toast("loading", "Booking in progress...", `Scheduling your appointment... Calling ${name}`, { id });
    try {
      const answer = await fetch("/api/v1/bookings/schedule-async", {
        method: "POST", credentials: "same-origin", headers: { "content-type": "application/json" },
        body: JSON.stringify({ ...values, serviceRequestId: request }),
      });
      if (answer.status === 202) {
        toast("success", "Booking call started!", "You'll receive a notification when your appointment is confirmed.", { id, seconds: 5 });
        refresh();
      } else {
        const body = await answer.json().catch(() => ({}));
        toast("error", "Failed to start booking call", body.error || "Please try again", { id });
      }
    } catch {
      toast("error", "Failed to start booking call", "Please try again", { id });
    }
  });

  // The browser reconnects by itself and tells the last event it saw.
  const paused = document.getElementById("paused");
  let broken = null;
  function watch() {
    // From what the page showed when it was rendered: nothing between that and now is missed.
    const topics = encodeURIComponent(live.dataset.live ?? live.dataset.topic);
    const source = new EventSource(`/api/events/stream?topics=${topics}&lastEventId=${live.dataset.seq}`);
    source.addEventListener("open", () => {
      clearTimeout(broken);
      broken = null;
      paused.hidden = true;
    });
    source.addEventListener("error", () => {
      broken ??= setTimeout(() => { paused.hidden = false; }, 10000);
      if (source.readyState === EventSource.CLOSED) setTimeout(watch, 3000);
    });
    for (const name of ["request.status", "provider.updated", "exception.changed"]) source.addEventListener(name, refresh);
    source.addEventListener("booking.confirmed", (event) => {
      const data = JSON.parse(event.data);
      toast("success", "Appointment Confirmed!", `${data.providerName} - ${data.date} at ${data.time}`, { id: "booking-toast", seconds: 10 });
      refresh();
    });
    source.addEventListener("booking.failed", () => {
      toast("error", "The call did not end in a booking. You can try again or pick another provider.", "", { id: "booking-toast" });
      refresh();
    });
  }
  watch();
})();
