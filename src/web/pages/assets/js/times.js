// Ages of things, kept up to date: `data-age` holds the seconds that had passed when the server rendered it, `data-words`
// the rule for its words: steps "BELOW UNIT TEXT", divided by "|". The first step above the age counts, `{}` in its text
// is the age in units of so many seconds, and a step below 0 takes every age.
const TICK_MS = 60_000;

const seen = new WeakMap();
let ticking;

// The words of a rule for an age in seconds.
export function words(rule, seconds) {
  for (const step of rule.split("|")) {
    const [below, unit] = step.split(" ", 2);
    const text = step.slice(below.length + unit.length + 2);
    if (below === "0" || seconds < below) return text.replace("{}", Math.floor(seconds / unit));
  }
  return "";
}

// Notes when an element came with the age it has. The browser's steady clock counts from then, so that a wrong clock of
// the visitor does not matter.
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
