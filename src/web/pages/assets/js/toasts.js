// Toasts: the words stand in `<template data-toast="NAME">`, written by the server. `{field}` is filled in from the event,
// `{field|words}` has words for when the event lacks it. A toast replaces the one with its id; three are shown at most.
const SHOWN_MAX = 3;

function fill(node, data) {
  for (const child of node.childNodes) fill(child, data);
  if (node.nodeType !== Node.TEXT_NODE) return;
  node.data = node.data.replace(/\{(\w+)(?:\|([^}]*))?\}/g, (_, field, otherwise) => data[field] || otherwise || "");
}

// Shows the toast of this name, if the page has one, and returns it.
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
