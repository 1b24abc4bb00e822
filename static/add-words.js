// A form that marks words of a text: they are selected there, or typed, and join the form's list.
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const points = (text, unit) => [...text.slice(0, unit)].length;
  let selected = null; // {start, end} in the text's own units

  /** What is selected of the item's text, by what stands there and by where it begins. */
  document.addEventListener("selectionchange", () => {
    const [input, box] = [byId("add-words"), document.querySelector("[data-words]")];
    const selection = getSelection();
    if (!input || !selection.rangeCount || selection.isCollapsed || !box?.contains(selection.anchorNode)) return;
    const range = selection.getRangeAt(0);
    const before = document.createRange();
    before.setStart(box, 0);
    before.setEnd(range.startContainer, range.startOffset);
    const words = range.toString().trim();
    const start = before.toString().length + range.toString().indexOf(words);
    input.value = words;
    selected = { start, end: start + words.length };
  });

  /** Where the words stand: as selected, else the first place that is not on the list with this label. */
  function place(text, words, label) {
    if (selected && text.slice(selected.start, selected.end) === words) return selected;
    const there = new Set([...document.querySelectorAll("[name=part]")].map((part) => part.value));
    for (let at = text.indexOf(words); at >= 0; at = text.indexOf(words, at + 1)) {
      const found = { start: at, end: at + words.length };
      if (!there.has(`${points(text, found.start)}-${points(text, found.end)}-${label.value}`)) return found;
    }
    return null;
  }

  /** The label in the list, or the one that was found where there are too many to list. */
  function chosenLabel() {
    const field = byId("add-label");
    const option = field.selectedOptions?.[0];
    const { hue, name = option?.textContent } = (option ?? field).dataset;
    return { value: field.value, hue, name };
  }

  function add() {
    const [words, label] = [byId("add-words").value.trim(), chosenLabel()];
    const text = JSON.parse(byId("item-text").textContent);
    const said = byId("add-said");
    if (!label.value) {
      said.textContent = "Choose a label first.";
      return;
    }
    const found = words && place(text, words, label);
    if (!found) {
      said.textContent = words ? `“${words}” stands nowhere else in the text.` : "Select the words in the text, or type them.";
      return;
    }
    const row = byId("add-row").content.firstElementChild.cloneNode(true);
    row.classList.add(`hue-${label.hue}`);
    row.querySelector("input").value = `${points(text, found.start)}-${points(text, found.end)}-${label.value}`;
    row.querySelector("q").textContent = words;
    row.querySelector("[data-name]").textContent = label.name;
    byId("places").append(row);
    said.textContent = `Marked: ${words}, ${label.name}.`;
    selected = null;
    byId("add-words").value = "";
  }

  document.addEventListener("click", (event) => event.target.closest("[data-adds]") && add());
  document.addEventListener("keydown", (event) => {
    if (event.target.id !== "add-words" || event.key !== "Enter") return;
    event.preventDefault();
    event.stopPropagation();
    add();
  }, true);
  document.addEventListener("htmx:beforeSwap", () => (selected = null));
})();
