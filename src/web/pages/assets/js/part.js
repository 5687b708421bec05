// A live part of a page: it fetches its own content from the address `data-from`, as the fragment `data-fragment`.
import { swap } from "./swap.js";

// What may pass until a fetch is answered in full.
const ANSWER_MS_MAX = 20_000;
const RETRY_MS = { first: 1000, most: 30_000 };
// Statuses after which the page as a whole is loaded again: it says what there is now instead.
export const GONE = [401, 403, 404];

// The wait after `ms`, spread so that pages do not come back all at once.
export function longer(ms) {
  return Math.min(RETRY_MS.most, ms * 2) * (0.75 + Math.random() / 2);
}

// How long an answer asks to wait, spread likewise; 0 when it does not say.
export function asked(answer) {
  return (Number(answer.headers.get("retry-after")) || 0) * 1000 * (1 + Math.random() / 4);
}

export class Part {
  constructor(element) {
    this.element = element;
    this.events = (element.dataset.events ?? "").split(" ").filter(Boolean);
    this.address = new URL(element.dataset.from, location.href);
    this.fetching = false;
    this.again = false;
    this.retry = RETRY_MS.first;
    // The server asked not to be asked before.
    this.notBefore = 0;
  }

  // Fetches the part after `wait` milliseconds.
  refresh(wait = 0) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.run(), Math.max(wait, this.notBefore - performance.now()));
  }

  // An event while the part is fetched leads to one more fetch; a fetch that failed is tried again.
  async run() {
    this.again = true;
    if (this.fetching) return;
    this.fetching = true;
    while (this.again) {
      this.again = false;
      if (await this.fetchOnce()) this.retry = RETRY_MS.first;
      else {
        this.refresh(this.retry);
        this.retry = longer(this.retry);
        break;
      }
    }
    this.fetching = false;
  }

  async fetchOnce() {
    const address = new URL(this.address);
    address.searchParams.set("fragment", this.element.dataset.fragment);
    try {
      const answer = await fetch(address, { redirect: "manual", signal: AbortSignal.timeout(ANSWER_MS_MAX) });
      if (answer.ok) swap(this.element, await answer.text());
      // Not `reload`, which would send the form again that led to this page.
      else if (answer.type === "opaqueredirect" || GONE.includes(answer.status)) location.replace(this.address);
      else {
        this.notBefore = performance.now() + asked(answer);
        return false;
      }
      return true;
    } catch {
      return false;
    }
  }
}
