// Brings a part of the page up to date without replacing what stays: elements that are still there keep their focus,
// their scroll position, and what was typed or opened in them.

// What people open and close themselves.
const OPENED = new Set(["DETAILS", "DIALOG"]);

function alike(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName && (one.id ?? "") === (other.id ?? "");
}

function setAttributes(old, fresh) {
  const kept = (name) => name === "open" && OPENED.has(old.nodeName);
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && !kept(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !kept(name)) old.setAttribute(name, value);
  }
}

// The default text of a text area is its child, and a change of it must not touch what was typed.
function isTyped(node) {
  return node.nodeName === "TEXTAREA" && node.value !== node.defaultValue;
}

function morph(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  setAttributes(old, fresh);
  if (!isTyped(old)) morphChildren(old, fresh);
}

function morphChildren(old, fresh) {
  let at = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    let match = at;
    while (match && !alike(match, wanted)) match = match.nextSibling;
    if (!match) {
      old.insertBefore(wanted, at);
      continue;
    }
    // What stands before the match is gone from the new part.
    while (at !== match) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
    morph(match, wanted);
    at = match.nextSibling;
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

// Focuses the element of this id; where there is none that can be, the part itself.
export function focus(id, part) {
  const element = id && document.getElementById(id);
  element?.focus();
  if (element && document.activeElement === element) return;
  if (!part) return;
  part.tabIndex = -1;
  part.focus({ preventScroll: true });
}

// Makes the content of `part` that of `html`, and tells it by the event `swapped`.
export function swap(part, html) {
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  morphChildren(part, fresh.content);
  if (focused && (!focused.isConnected || focused.disabled)) focus(focused.id, part);
  part.dispatchEvent(new Event("swapped", { bubbles: true }));
}
