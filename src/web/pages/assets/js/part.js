// A live part of a page. It fetches its own content from the address `data-from`, as the fragment `data-fragment`.
import { swap } from "./swap.js";

// The timeout for a complete response.
const ANSWER_MS_MAX = 20_000;
const RETRY_MS = { first: 1000, most: 30_000 };
// Statuses after which the whole page is loaded again, because the part no longer exists for this visitor.
export const GONE = [401, 403, 404];

// Returns the next wait of the exponential backoff, with jitter so that pages do not retry at the same time.
export function longer(ms) {
  return Math.min(RETRY_MS.most, ms * 2) * (0.75 + Math.random() / 2);
}

// Returns the `Retry-After` of a response in milliseconds, with jitter. 0 if it has none.
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
    // Set from `Retry-After`.
    this.notBefore = 0;
  }

  refresh(wait = 0) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.run(), Math.max(wait, this.notBefore - performance.now()));
  }

  // Fetches the part. An event during a fetch causes one more fetch, and a failed fetch is retried.
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
      // `reload` could submit again the form that led to this page.
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
