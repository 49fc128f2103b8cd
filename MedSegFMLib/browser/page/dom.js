// Small helpers for the page's elements.
export const byId = (id) => document.getElementById(id);

export function setText(id, text) {
  const node = byId(id);
  if (node.textContent !== text) node.textContent = text;
}

export function setHidden(id, isHidden) {
  byId(id).hidden = isHidden;
}

// Fill a select with {value, title, disabled?}, only if the choices have changed.
export function fill(id, choices, chosen) {
  const node = byId(id);
  const key = JSON.stringify(choices);
  if (node.dataset.choices !== key) {
    node.dataset.choices = key;
    node.replaceChildren(...choices.map(({ value, title, disabled }) => {
      const option = new Option(title, value);
      option.disabled = Boolean(disabled);
      return option;
    }));
  }
  if (chosen !== undefined && document.activeElement !== node) node.value = chosen;
  else if (chosen !== undefined && node.value !== chosen) node.value = chosen;
  node.disabled = choices.length === 0;
}

export function button(text, title, onClick, { pressed, className, label, disabled } = {}) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.title = title;
  if (label) made.setAttribute("aria-label", label);
  if (className) made.className = className;
  if (pressed !== undefined) made.setAttribute("aria-pressed", String(pressed));
  made.disabled = Boolean(disabled);
  made.onclick = onClick;
  return made;
}

export function span(className, text) {
  const made = document.createElement("span");
  made.className = className;
  made.textContent = text;
  return made;
}

// Replace the rows of a list; the focus stays on the row and the button that had it.
export function setRows(list, rows) {
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const row = focused ? [...list.children].findIndex((item) => item.contains(focused)) : -1;
  const place = focused ? [...list.children[row].querySelectorAll("button, input")].indexOf(focused) : -1;
  list.replaceChildren(...rows);
  if (row < 0 || !list.children.length) return;
  const now = list.children[Math.min(row, list.children.length - 1)].querySelectorAll("button, input");
  now[Math.min(place, now.length - 1)]?.focus();
}
