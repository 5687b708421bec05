// Errors of a form that scripts send, shown by each field with the same markup that the server renders.

const idOf = (form, field) => `wrong-${form.closest("[id]")?.id}-${field.name}`;

// Sets the element that describes a field's error. The field's hint is kept.
function describe(field, wrong) {
  const rest = (field.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id.startsWith("hint-"));
  const ids = wrong ? [wrong, ...rest] : rest;
  if (ids.length) field.setAttribute("aria-describedby", ids.join(" "));
  else field.removeAttribute("aria-describedby");
}

// Removes the errors of the previous submission.
export function clear(form) {
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    describe(field);
  }
  for (const told of form.querySelectorAll(".wrong")) told.remove();
}

// Shows the error of each field. Returns whether the form has a field for any of them.
export function show(form, fields) {
  clear(form);
  const shown = Object.entries(fields)
    .map(([name, sentence]) => [form.elements.namedItem(name), sentence])
    .filter(([field]) => field?.labels?.length);
  for (const [field, sentence] of shown) {
    const told = document.createElement("span");
    Object.assign(told, { className: "wrong", id: idOf(form, field), textContent: sentence });
    told.setAttribute("role", "alert");
    field.setAttribute("aria-invalid", "true");
    describe(field, told.id);
    field.labels[0].append(told);
  }
  return shown.length > 0;
}
