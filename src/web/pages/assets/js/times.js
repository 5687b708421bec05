// Relative times. `data-age` holds the age in seconds at the time of rendering, `data-words` the rule for its text:
// steps "BELOW UNIT TEXT", separated by "|". The first step whose BELOW exceeds the age applies, and a BELOW of 0
// applies to every age. `{}` in TEXT stands for the age in units of UNIT seconds.
const TICK_MS = 60_000;

const seen = new WeakMap();
let ticking;

// Returns the text of a rule for an age in seconds.
export function words(rule, seconds) {
  for (const step of rule.split("|")) {
    const [below, unit] = step.split(" ", 2);
    const text = step.slice(below.length + unit.length + 2);
    if (below === "0" || seconds < below) return text.replace("{}", Math.floor(seconds / unit));
  }
  return "";
}

// Records when an element got its current age. The browser's monotonic clock counts from there, so a wrong clock of the
// visitor does not matter.
function note(place) {
  const given = `${place.dateTime} ${place.dataset.age}`;
  if (seen.get(place)?.given !== given) seen.set(place, { given, at: performance.now() });
}

function show(place) {
  note(place);
  const seconds = Number(place.dataset.age) + Math.floor((performance.now() - seen.get(place).at) / 1000);
  const text = words(place.dataset.words, seconds);
  if (place.textContent !== text) place.textContent = text;
}

function each(act) {
  document.querySelectorAll("time[data-age]").forEach(act);
}

function tick() {
  clearInterval(ticking);
  if (document.hidden) return;
  each(show);
  ticking = setInterval(each, TICK_MS, show);
}

export function start() {
  each(note);
  tick();
  document.addEventListener("visibilitychange", tick);
  document.addEventListener("swapped", () => each(note));
}
