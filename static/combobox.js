// Choosing among very many labels: a field that finds them on the server while one types. What is
// chosen goes with the form: in a hidden field, as ticked boxes where several may be chosen, or by
// sending the form at once. Listens on the document, since pages swap forms in and out.
import { Finder, sentenceOf } from "./finding.js";

const states = new WeakMap();
let boxes = 0;

const fieldOf = (combo) => combo.querySelector("[role=combobox]");
const listOf = (combo) => combo.querySelector("[role=listbox]");
const isOpen = (combo) => !listOf(combo).hidden;

function stateOf(combo) {
  if (!states.has(combo)) {
    boxes += 1;
    listOf(combo).id ||= `combo-${boxes}`;
    fieldOf(combo).setAttribute("aria-controls", listOf(combo).id);
    states.set(combo, { finder: new Finder(combo.dataset.combo, combo.dataset.archived === undefined ? "" : "&archived=1"), labels: [], cursor: 0, finding: null });
  }
  return states.get(combo);
}

function optionOf(combo, label, place) {
  const option = document.createElement("li");
  option.id = `${listOf(combo).id}-${place}`;
  option.className = `hue-${label.hue}`;
  option.setAttribute("role", "option");
  option.dataset.place = place;
  const dot = Object.assign(document.createElement("span"), { className: "dot" });
  const name = Object.assign(document.createElement("span"), { textContent: label.part });
  if (label.path) name.prepend(Object.assign(document.createElement("span"), { className: "muted", textContent: `${label.path} › ` }));
  const about = Object.assign(document.createElement("span"), { className: "about muted small", textContent: label.description });
  option.append(dot, name, about);
  return option;
}

function point(combo) {
  const { cursor } = stateOf(combo);
  if (cursor < 0 || !stateOf(combo).labels.length) fieldOf(combo).removeAttribute("aria-activedescendant");
  listOf(combo).querySelectorAll("[data-place]").forEach((option, place) => {
    option.setAttribute("aria-selected", String(place === cursor));
    if (place !== cursor) return;
    option.scrollIntoView({ block: "nearest" });
    fieldOf(combo).setAttribute("aria-activedescendant", option.id);
  });
}

/** Where the cursor begins: on no label where nothing typed means none. */
const beginOf = (combo) => (combo.dataset.takes === "one" && !fieldOf(combo).value.trim() ? -1 : 0);

function open(combo) {
  const state = stateOf(combo);
  state.finding = state.finder.find(fieldOf(combo).value).then((found) => {
    if (!found) return; // a later search is under way
    state.finding = null;
    Object.assign(state, { labels: found.labels, cursor: beginOf(combo) });
    const rows = found.labels.map((label, place) => optionOf(combo, label, place));
    const sentence = sentenceOf(found);
    if (sentence) {
      const line = Object.assign(document.createElement("li"), { className: "none muted small", textContent: sentence });
      line.setAttribute("role", "option");
      line.setAttribute("aria-disabled", "true");
      rows.push(line);
    }
    listOf(combo).replaceChildren(...rows);
    if (document.activeElement !== fieldOf(combo)) return;
    listOf(combo).hidden = false;
    fieldOf(combo).setAttribute("aria-expanded", "true");
    combo.querySelector("[role=status]").textContent = sentence || `${found.labels.length} found`;
    point(combo);
  });
}

function close(combo) {
  const state = stateOf(combo);
  state.finder.stop(); // or what comes late would open the list again
  state.finding = null;
  listOf(combo).hidden = true;
  fieldOf(combo).setAttribute("aria-expanded", "false");
  fieldOf(combo).removeAttribute("aria-activedescendant");
}

/** A label that is chosen goes with the form from now on. */
function choose(combo, label) {
  if (!label) return;
  const field = fieldOf(combo);
  close(combo);
  if (combo.dataset.takes === "one") {
    const hidden = combo.querySelector("input[type=hidden]");
    hidden.value = `${hidden.dataset.prefix ?? ""}${label.id}`;
    Object.assign(hidden.dataset, { hue: label.hue, name: label.name });
    field.value = label.name;
    field.setCustomValidity("");
    return;
  }
  const row = combo.querySelector("template").content.firstElementChild.cloneNode(true);
  row.classList.add(`hue-${label.hue}`);
  row.querySelector("[data-label-name]").textContent = label.name;
  const control = row.querySelector("[name]");
  control.value = label.id;
  const there = combo.querySelector(`.chosen-labels [name][value="${label.id}"]`);
  if (there) there.checked = true;
  else combo.querySelector(".chosen-labels").append(row);
  field.value = "";
  if (control.type === "submit") (there ?? control).click();
  else field.focus();
}

/** Left: the field says what is chosen; emptied, nothing is. Several need one at least where one is asked for. */
function leave(combo) {
  close(combo);
  const [field, hidden] = [fieldOf(combo), combo.querySelector("input[type=hidden]")];
  if (!hidden) field.value = "";
  else if (field.value.trim()) field.value = hidden.dataset.name ?? "";
  else {
    hidden.value = "";
    delete hidden.dataset.name;
  }
}

async function enter(combo, event) {
  event.preventDefault();
  event.stopPropagation();
  const state = stateOf(combo);
  await state.finding;
  if (state.finding) return; // typed on: what was typed last is what counts
  if (state.cursor < 0) leave(combo);
  else choose(combo, state.labels[state.cursor]);
}

/** Enter on a closed list sends the form only with what the field says; otherwise it asks what is meant. */
function confirm(combo, event) {
  const hidden = combo.querySelector("input[type=hidden]");
  const said = fieldOf(combo).value;
  if (hidden?.name && (!said.trim() || said === hidden.dataset.name)) return leave(combo);
  event.preventDefault();
  event.stopPropagation();
  open(combo);
}

function steer(combo, event) {
  const state = stateOf(combo);
  const last = state.labels.length - 1;
  if (event.key === "ArrowDown" && !isOpen(combo)) open(combo);
  else if (event.key === "ArrowDown") state.cursor = Math.min(last, state.cursor + 1);
  else if (event.key === "ArrowUp") state.cursor = Math.max(beginOf(combo), state.cursor - 1);
  else if (event.key === "Escape" && (isOpen(combo) || state.finding)) close(combo);
  else return;
  event.preventDefault();
  event.stopPropagation();
  if (isOpen(combo)) point(combo);
}

document.addEventListener("input", (event) => {
  const combo = event.target.closest("[data-combo]");
  if (combo && event.target === fieldOf(combo)) {
    event.target.setCustomValidity("");
    open(combo);
  }
});
document.addEventListener("keydown", (event) => {
  const combo = event.target.closest?.("[data-combo]");
  // Keys that compose a character are the input method's.
  if (!combo || event.target !== fieldOf(combo) || event.isComposing || event.keyCode === 229) return;
  const isUsed = isOpen(combo) || stateOf(combo).finding;
  if (event.key === "Enter" && isUsed) enter(combo, event);
  else if (event.key === "Enter") confirm(combo, event);
  else steer(combo, event);
}, true);
document.addEventListener("pointerdown", (event) => {
  if (event.target.closest("[data-combo] [role=listbox]")) event.preventDefault(); // the field keeps the focus
});
document.addEventListener("click", (event) => {
  const combo = event.target.closest("[data-combo]");
  const option = combo && event.target.closest("[data-place]");
  if (option) choose(combo, stateOf(combo).labels[Number(option.dataset.place)]);
  else if (combo && event.target === fieldOf(combo) && !isOpen(combo)) {
    event.target.select();
    open(combo);
  }
});
document.addEventListener("focusout", (event) => {
  const combo = event.target.closest("[data-combo]");
  if (combo && event.target === fieldOf(combo)) leave(combo);
});
// A form that needs a label says so at the field instead of being sent without one.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[type=submit]");
  const form = button?.form;
  if (!form || button.formNoValidate) return;
  for (const combo of form.querySelectorAll("[data-combo][data-needed]")) {
    const has = combo.querySelector("input[type=hidden]")?.value || combo.querySelector(".chosen-labels :checked");
    fieldOf(combo).setCustomValidity(has ? "" : "Choose a label from the list.");
  }
}, true);
