// Elapsed times. `data-elapsed` holds the seconds at the time of rendering. The browser's monotonic clock counts from
// there, so a wrong clock of the visitor does not matter.
const seen = new WeakMap();

function show(place) {
  const given = place.dataset.elapsed;
  let known = seen.get(place);
  if (known?.given !== given) {
    known = { given, at: performance.now() };
    seen.set(place, known);
  }
  const seconds = Number(given) + Math.floor((performance.now() - known.at) / 1000);
  const text = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  if (place.textContent !== text) place.textContent = text;
}

export function start() {
  setInterval(() => document.querySelectorAll("[data-elapsed]").forEach(show), 500);
}
