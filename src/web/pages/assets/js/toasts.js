// Toasts. The server renders their texts in `<template data-toast="NAME">`. `{field}` is replaced from the event, and
// `{field|words}` by the words if the event lacks the field. A toast replaces the one with its id. At most three are
// shown.
const SHOWN_MAX = 3;

function fill(node, data) {
  for (const child of node.childNodes) fill(child, data);
  if (node.nodeType !== Node.TEXT_NODE) return;
  node.data = node.data.replace(/\{(\w+)(?:\|([^}]*))?\}/g, (_, field, otherwise) => data[field] || otherwise || "");
}

// Shows the toast with this name and returns it. Returns null if the page has no such toast.
export function toast(name, data = {}) {
  const template = document.querySelector(`template[data-toast="${CSS.escape(name)}"]`);
  const region = document.getElementById("toasts");
  if (!template || !region) return null;
  const box = template.content.firstElementChild.cloneNode(true);
  fill(box, data);
  const former = box.id && document.getElementById(box.id);
  if (former) former.replaceWith(box);
  else region.append(box);
  while (region.children.length > SHOWN_MAX) region.firstElementChild.remove();
  const seconds = Number(box.dataset.seconds);
  if (seconds) setTimeout(() => box.remove(), seconds * 1000);
  return box;
}

export function start() {
  document.getElementById("toasts")?.addEventListener("click", (event) => {
    if (event.target.closest("button")) event.target.closest(".toast").remove();
  });
}
