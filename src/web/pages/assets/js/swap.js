// Brings a part of the page up to date without replacing what stays: elements that are still there keep their focus,
// their scroll position, and what was typed or opened in them. An element with an id or a `data-key` is matched with the
// one of the same key only, wherever that stands among its siblings; others are matched by name and order.

// What people open and close themselves.
const OPENED = new Set(["DETAILS", "DIALOG"]);

function key(node) {
  return node.id || node.dataset?.key || "";
}

function alike(one, other) {
  return one.nodeName === other.nodeName && key(one) === key(other);
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

// Moves a child before another; where the browser can, it keeps its focus.
function move(parent, child, before) {
  if (parent.moveBefore) parent.moveBefore(child, before);
  else parent.insertBefore(child, before);
}

function morphChildren(old, fresh) {
  const wanted = [...fresh.childNodes];
  const keys = new Set(wanted.map(key).filter(Boolean));
  let at = old.firstChild;
  for (const node of wanted) {
    let match = at;
    while (match && !alike(match, node)) match = match.nextSibling;
    if (!match) {
      old.insertBefore(node, at);
      continue;
    }
    // What stands before the match is gone from the new part, or comes later in it.
    let next = at;
    while (next !== match) {
      const passed = next;
      next = next.nextSibling;
      if (keys.has(key(passed))) continue;
      if (at === passed) at = next;
      passed.remove();
    }
    if (at === match) at = match.nextSibling;
    else move(old, match, at);
    morph(match, node);
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

// Focuses the element of this id; where there is none that can be, the part itself.
export function focus(id, part) {
  const element = id ? document.getElementById(id) : null;
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
  part.dispatchEvent(new Event("swapped", { bubbles: true }));
  if (!focused || (document.activeElement === focused && !focused.disabled)) return;
  // It was moved, or it is gone.
  focused.focus({ preventScroll: true });
  if (document.activeElement !== focused || focused.disabled) focus(focused.id, part);
}
