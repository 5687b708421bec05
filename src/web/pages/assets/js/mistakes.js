// Mistakes in a form that is sent by script, each by its field: the markup of a form that the server shows again.

const idOf = (form, field) => `wrong-${form.closest("[id]")?.id}-${field.name}`;

// Sets what describes a field besides its hint.
function describe(field, wrong) {
  const rest = (field.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id.startsWith("hint-"));
  const ids = wrong ? [wrong, ...rest] : rest;
  if (ids.length) field.setAttribute("aria-describedby", ids.join(" "));
  else field.removeAttribute("aria-describedby");
}

// Removes what is said of the last values.
export function clear(form) {
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    describe(field);
  }
  for (const told of form.querySelectorAll(".wrong")) told.remove();
}

// Says what is wrong with each field, and returns whether the form has a field for any of it.
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
