// Updates a part of the page in place. Elements that remain keep their focus, their scroll position, and what the
// visitor typed or opened in them. An element with an id or a `data-key` only matches the element with the same key,
// wherever it is among its siblings. Other elements match by name and order.

// Elements whose `open` attribute the visitor controls.
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

// A text area's default text is its child node. Replacing it must not discard what the visitor typed.
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

// Moves a child before another one. It keeps its focus where the browser supports `moveBefore`.
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
    // Elements before the match are gone from the new part, or come later in it.
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

// Focuses the element with this id, or the part if there is no such element that can be focused.
export function focus(id, part) {
  const element = id ? document.getElementById(id) : null;
  element?.focus();
  if (element && document.activeElement === element) return;
  if (!part) return;
  part.tabIndex = -1;
  part.focus({ preventScroll: true });
}

// Makes `html` the content of `part`, and dispatches the event `swapped`.
export function swap(part, html) {
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  morphChildren(part, fresh.content);
  part.dispatchEvent(new Event("swapped", { bubbles: true }));
  if (!focused || (document.activeElement === focused && !focused.disabled)) return;
  // The focused element was moved or removed.
  focused.focus({ preventScroll: true });
  if (document.activeElement !== focused || focused.disabled) focus(focused.id, part);
}
