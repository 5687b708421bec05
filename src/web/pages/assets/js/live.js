// Live updates. `data-live` names the topic of a part, `data-events` the events after which the part is fetched, and
// `data-seq` the last event that the page includes, if known. One connection serves all parts of a page.
import { GONE, Part, asked, longer } from "./part.js";
import { toast } from "./toasts.js";

// A deployment ends all streams at once. Random waits spread the reconnections and the fetches that follow.
const SPREAD_MS = { least: 500, most: 3000, refresh: 2000 };
// The timeout for a response that says why the server refuses the stream.
const ANSWER_MS_MAX = 20_000;

function firstWait() {
  return SPREAD_MS.least + Math.random() * (SPREAD_MS.most - SPREAD_MS.least);
}

class Connection {
  constructor(parts) {
    this.parts = parts;
    this.paused = document.getElementById("paused");
    this.topics = [...new Set(parts.map((part) => part.element.dataset.live))].join(",");
    this.events = new Set(parts.flatMap((part) => part.events));
    // Without a known last event the stream starts with new events.
    const known = parts.map((part) => part.element.dataset.seq);
    this.last = known.includes(undefined) ? "" : Math.min(...known);
    this.wait = firstWait();
    this.broken = null;
  }

  address() {
    return `/api/events/stream?topics=${encodeURIComponent(this.topics)}&lastEventId=${this.last}`;
  }

  open() {
    clearTimeout(this.timer);
    this.source?.close();
    const source = new EventSource(this.address());
    this.source = source;
    source.addEventListener("open", () => this.opened());
    source.addEventListener("error", () => this.failed());
    for (const name of this.events) source.addEventListener(name, (event) => this.happened(name, event));
  }

  // Fetches all parts: events between the rendering, or the last connection, and this one may be missing from the
  // stream.
  opened() {
    const was = this.broken;
    clearTimeout(this.broken);
    this.broken = null;
    this.wait = firstWait();
    this.paused.hidden = true;
    document.documentElement.dataset.stream = "open";
    for (const part of this.parts) part.refresh(was ? Math.random() * SPREAD_MS.refresh : 0);
  }

  failed() {
    const refused = this.source.readyState === EventSource.CLOSED;
    this.source.close();
    this.broken ??= setTimeout(() => {
      this.paused.hidden = false;
      delete document.documentElement.dataset.stream;
    }, Number(this.paused.dataset.afterSeconds) * 1000);
    this.later(() => (refused ? this.ask() : this.open()));
  }

  // Calls `act` after the next backoff, and not before `least` milliseconds.
  later(act, least = 0) {
    clearTimeout(this.timer);
    this.timer = setTimeout(act, Math.max(least, this.wait));
    this.wait = longer(this.wait);
  }

  // Requests the stream with `fetch`, because an EventSource does not expose the status of a refusal.
  async ask() {
    const asking = new AbortController();
    const limit = setTimeout(() => asking.abort(), ANSWER_MS_MAX);
    try {
      const answer = await fetch(this.address(), { signal: asking.signal });
      if (answer.ok) return this.open();
      // The session may have ended. The response to the part then redirects to the sign-in.
      if (GONE.includes(answer.status)) for (const part of this.parts) part.refresh();
      this.later(() => this.ask(), asked(answer));
    } catch {
      this.later(() => this.ask());
    } finally {
      clearTimeout(limit);
      asking.abort();
    }
  }

  happened(name, event) {
    this.last = event.lastEventId;
    toast(name, JSON.parse(event.data));
    for (const part of this.parts) if (part.events.includes(name)) part.refresh();
  }
}

export function start() {
  const parts = [...document.querySelectorAll("[data-live]")].map((element) => new Part(element));
  if (!parts.length) return;
  const connection = new Connection(parts);
  connection.open();
  // The event of a submitted form may be late, or there may be none.
  document.addEventListener("sent", () => parts.forEach((part) => part.refresh()));
  addEventListener("online", () => connection.open());
  addEventListener("pagehide", () => connection.source.close());
  addEventListener("pageshow", (event) => event.persisted && connection.open());
}
