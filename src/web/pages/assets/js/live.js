// Live parts: `data-live` names a topic, `data-fragment` the part of the page to fetch, `data-events` the events after
// which to fetch it, `data-seq` the last event that the page knew. One connection serves all parts of a page.
import { swap } from "./swap.js";
import { toast } from "./toasts.js";

const RETRY_MS = { first: 1000, most: 30_000 };

// The next wait after `ms`, spread so that pages do not come back all at once.
function longer(ms) {
  return Math.min(RETRY_MS.most, ms * 2) * (0.75 + Math.random() / 2);
}

class Part {
  constructor(element) {
    this.element = element;
    this.events = (element.dataset.events ?? "").split(" ").filter(Boolean);
    this.fetching = false;
    this.again = false;
    this.retry = RETRY_MS.first;
  }

  // Fetches the part; an event while it is fetched leads to one more fetch.
  async refresh() {
    clearTimeout(this.timer);
    this.again = true;
    if (this.fetching) return;
    this.fetching = true;
    while (this.again) {
      this.again = false;
      if (await this.fetchOnce()) this.retry = RETRY_MS.first;
      else {
        this.timer = setTimeout(() => this.refresh(), this.retry);
        this.retry = longer(this.retry);
      }
    }
    this.fetching = false;
  }

  async fetchOnce() {
    const address = new URL(location.href);
    address.searchParams.set("fragment", this.element.dataset.fragment);
    address.searchParams.delete("notice");
    try {
      const answer = await fetch(address, { redirect: "manual" });
      // Led elsewhere (to the sign-in), refused or gone: the browser shows what there is now instead.
      if (answer.type === "opaqueredirect" || [401, 403, 404].includes(answer.status)) location.reload();
      else if (answer.ok) swap(this.element, await answer.text());
      return answer.status < 500;
    } catch {
      return false;
    }
  }
}

class Connection {
  constructor(parts) {
    this.parts = parts;
    this.paused = document.getElementById("paused");
    this.topics = [...new Set(parts.map((part) => part.element.dataset.live))].join(",");
    this.events = new Set(parts.flatMap((part) => part.events));
    // Nothing that happened after the page was rendered is missed.
    this.last = Math.min(...parts.map((part) => Number(part.element.dataset.seq)));
    this.wait = RETRY_MS.first;
    this.broken = null;
  }

  open() {
    clearTimeout(this.timer);
    this.source?.close();
    const source = new EventSource(`/api/events/stream?topics=${encodeURIComponent(this.topics)}&lastEventId=${this.last}`);
    this.source = source;
    source.addEventListener("open", () => this.opened());
    source.addEventListener("error", () => this.failed());
    for (const name of this.events) source.addEventListener(name, (event) => this.happened(name, event));
  }

  opened() {
    const was = this.broken;
    clearTimeout(this.broken);
    this.broken = null;
    this.wait = RETRY_MS.first;
    this.paused.hidden = true;
    document.documentElement.dataset.stream = "open";
    if (was) for (const part of this.parts) part.refresh();
  }

  failed() {
    const refused = this.source.readyState === EventSource.CLOSED;
    this.source.close();
    this.broken ??= setTimeout(() => {
      this.paused.hidden = false;
      delete document.documentElement.dataset.stream;
    }, Number(this.paused.dataset.afterSeconds) * 1000);
    // An answer that is no stream: perhaps nobody is signed in any more, which the fragment's answer tells.
    if (refused) for (const part of this.parts) part.refresh();
    this.timer = setTimeout(() => this.open(), this.wait);
    this.wait = longer(this.wait);
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
  // A form was sent: its event may be slow, or not come at all.
  document.addEventListener("sent", () => parts.forEach((part) => part.refresh()));
  addEventListener("online", () => connection.open());
  addEventListener("pagehide", () => connection.source.close());
  addEventListener("pageshow", (event) => event.persisted && connection.open());
}
