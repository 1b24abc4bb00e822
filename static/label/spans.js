// Answers that are spans: marked with the mouse, a finger or keys alone. What is selected is either a
// stretch of the text that has no label yet, or one of the marks; a label's key acts on it.

import { SpanText } from "./span-text.js";

const UNDOABLE = 200;
const ARMED_MS = 400; // so soon after the item came, an empty answer is asked for twice
const LISTED = 60; // rows beside the item, around the one that is selected
const SHARES = [0.5, 0.7, 0.9];

/** Keys of a page with spans; what has the name of a usual action takes its place. */
export const ACTIONS = [
  { name: "next", words: "Go to the next span", keys: ["j"], repeats: true },
  { name: "previous", words: "Go to the span before", keys: ["k"], repeats: true },
  { name: "span-right", words: "Select the word to the right", keys: ["ArrowRight"], repeats: true },
  { name: "span-left", words: "Select the word to the left", keys: ["ArrowLeft"], repeats: true },
  { name: "span-down", words: "Select a word in the line below", keys: ["ArrowDown"], repeats: true },
  { name: "span-up", words: "Select a word in the line above", keys: ["ArrowUp"], repeats: true },
  { name: "span-first", words: "Select the first word", keys: ["Home"] },
  { name: "span-last", words: "Select the last word", keys: ["End"] },
  { name: "edge-right", words: "Move the edge right by a word", keys: ["Shift+ArrowRight"], repeats: true },
  { name: "edge-left", words: "Move the edge left by a word", keys: ["Shift+ArrowLeft"], repeats: true },
  { name: "nudge-right", words: "Move the edge right by a character", keys: ["Alt+ArrowRight"], repeats: true },
  { name: "nudge-left", words: "Move the edge left by a character", keys: ["Alt+ArrowLeft"], repeats: true },
  { name: "edge", words: "Move the other edge from now on", keys: ["."] },
  { name: "take", words: "Take the suggested span", keys: ["+"] },
  { name: "drop", words: "Remove the span, or reject the suggestion", keys: ["-", "Delete"] },
  { name: "take-all", words: "Take all suggestions that are sure enough", keys: ["Shift+Enter"] },
  { name: "same", words: "Mark the same words everywhere in the item", keys: ["="] },
];

const byId = (id) => document.getElementById(id);
const byPlace = (a, b) => a.start - b.start || a.end - b.end || a.label - b.label;
const isSame = (a, b) => a.start === b.start && a.end === b.end && a.label === b.label;
const counted = (count) => (count ? `${count} ${count === 1 ? "span" : "spans"}` : "nothing marked");

/** What a stored value said, in a few words. */
export const wordsOf = (value) => counted(value.spans.length);

export class Widget {
  #text = null; // of the item on the screen
  #card = null;
  #marks = []; // {start, end, label, share}: share is a number while it is only suggested
  #history = [];
  #selected = null; // {start, end}, and `mark` where it is one of the marks
  #edge = "end";
  #pointing = false;
  #shownAt = 0;
  #armed = false;
  #isOpen = true; // else the marks are only looked at

  /** `say(sentence)` speaks to a screen reader, `onChange()` runs when what enter would answer changed. */
  constructor({ answers, say, onChange, prefix }) {
    Object.assign(this, { answers, say, onChange, prefix });
    this.stage = byId("stage");
    this.list = byId("span-list");
    this.now = byId("span-now");
    this.snap = byId("span-snap");
    this.least = byId("span-least");
    this.#remember(this.snap, "snap");
    this.#remember(this.least, "least");
    this.snap.addEventListener("change", () => this.snap.blur());
    this.least.addEventListener("change", () => (this.least.blur(), this.#paint()));
    this.list.addEventListener("click", (event) => this.#listClicked(event));
    document.addEventListener("selectionchange", () => this.#selectionChanged());
    this.stage.addEventListener("pointerdown", () => (this.#pointing = true));
    document.addEventListener("pointerup", (event) => this.#pointerUp(event));
    document.addEventListener("pointercancel", () => (this.#pointing = false));
  }

  /** Show a card, with an earlier answer where it was taken back. */
  show(card) {
    this.open(card, card?.value?.spans);
  }

  /** Mark a card's text; `spans` were marked before, else those that are suggested. `labels`: of the marks alone. */
  open(card, spans, labels = null) {
    this.#isOpen = true;
    this.#begin(card, spans, labels);
  }

  /** Show what is marked in a card's text, while something else is asked. */
  rest(card, spans) {
    this.#isOpen = false;
    this.#begin(card, spans);
  }

  #begin(card, spans, labels = null) {
    this.#card = card ?? null;
    this.#selected = null;
    this.#edge = "end";
    this.#history = [];
    this.#armed = false;
    this.#shownAt = performance.now();
    getSelection().removeAllRanges();
    this.#text = card ? this.#textOf(card) : null;
    this.#marks = card ? this.#marksOf(card, spans, labels) : [];
    this.#paint();
  }

  #textOf(card) {
    card.spanText ??= new SpanText(card.querySelector(".item-text"), JSON.parse(card.dataset.given));
    return card.spanText;
  }

  #marksOf(card, given, labels) {
    const shown = card.dataset.blind === undefined ? JSON.parse(card.dataset.suggestion).spans ?? [] : [];
    return (given ?? shown)
      .filter(({ label }) => (labels ? labels.includes(label) : this.answers.label(label)))
      .map(({ start, end, label, probability }) => ({
        start: this.#text.units(start), end: this.#text.units(end), label,
        share: given ? undefined : (probability ?? 1),
      }))
      .sort(byPlace);
  }

  // ---- the answer

  /** Marks that enter would answer with: the person's own, and suggestions that are sure enough. */
  get #standing() {
    return this.#marks.filter((mark) => mark.share === undefined || mark.share >= this.#least);
  }

  get #least() {
    return Number(this.least.value) || SHARES[0];
  }

  get canUndo() {
    return this.#history.length > 0;
  }

  /** The labels that enter would answer with, each once. */
  get labels() {
    return [...new Set(this.#standing.map((mark) => mark.label))];
  }

  get words() {
    const standing = this.#standing;
    const suggested = standing.filter((mark) => mark.share !== undefined).length;
    if (this.#armed) return "again: nothing here";
    return suggested ? `${counted(standing.length)}, ${suggested} suggested` : counted(standing.length);
  }

  /** The value to answer with, or null while an empty answer came too quickly to be meant. */
  answer() {
    const standing = this.#standing;
    const isQuick = performance.now() - this.#shownAt < ARMED_MS;
    if (!standing.length && !this.#history.length && isQuick && !this.#armed) {
      this.#armed = true;
      this.say("Nothing is marked. Press enter again to answer: nothing here.");
      this.onChange();
      return null;
    }
    return { spans: this.spans };
  }

  /** What enter would answer with, in code points. */
  get spans() {
    const found = this.#standing.map(({ start, end, label }) => ({
      start: this.#text.points(start), end: this.#text.points(end), label,
    }));
    return found.sort(byPlace);
  }

  /** Take the last step within the item back; false when there is none. */
  undo() {
    const before = this.#history.pop();
    if (!before) return false;
    this.#marks = before;
    this.#point(null);
    this.#paint();
    this.say(`Step taken back: ${counted(this.#standing.length)}.`);
    return true;
  }

  #change(marks) {
    this.#history.push(this.#marks);
    this.#history.splice(0, this.#history.length - UNDOABLE);
    // The same place with the same label is one mark, the person's own before a suggested one.
    const own = [...marks].sort((a, b) => byPlace(a, b) || (a.share ?? -1) - (b.share ?? -1));
    this.#marks = own.filter((mark, at) => !at || !isSame(mark, own[at - 1]));
    this.#armed = false;
  }

  // ---- labels

  /** Give what is selected a label, or a mark another one. */
  pick(label) {
    const at = this.#selected;
    if (!at) return this.say("Select words first: with the arrow keys, or with the mouse.");
    const made = { start: at.start, end: at.end, label };
    const others = at.mark ? this.#marks.filter((mark) => mark !== at.mark) : this.#marks;
    this.#change([...others, made]);
    this.#point(this.#marks.find((mark) => isSame(mark, made)));
    this.answers.used([label]);
    this.#paint();
    this.say(`${this.#quoted(made)}: ${this.answers.name(label)}. ${counted(this.#standing.length)}.`);
  }

  take() {
    const { mark } = this.#selected ?? {};
    if (mark?.share === undefined) return this.say("Go to a suggested span first, with j.");
    this.pick(mark.label);
  }

  takeAll() {
    const sure = this.#marks.filter((mark) => mark.share >= this.#least);
    if (!sure.length) return this.say("No suggestion is that sure.");
    this.#change(this.#marks.map((mark) => (sure.includes(mark) ? { ...mark, share: undefined } : mark)));
    this.#point(null);
    this.#paint();
    this.say(`${counted(sure.length)} taken.`);
  }

  /** The mark that is selected, or one of just these words. */
  get #here() {
    const at = this.#selected;
    return at?.mark ?? this.#marks.find((each) => each.start === at?.start && each.end === at?.end);
  }

  drop() {
    const mark = this.#here;
    if (!mark) return this.say("Go to a span first, with j.");
    this.#change(this.#marks.filter((each) => each !== mark));
    const next = this.#marks.find((each) => byPlace(each, mark) > 0);
    this.#point(next ?? null);
    this.#paint();
    this.say(`${mark.share === undefined ? "Removed" : "Rejected"}: ${this.#quoted(mark)}. ${next ? this.#told() : ""}`);
  }

  /** The same words elsewhere in the item get the label that the mark has; one step. */
  same() {
    const { mark } = this.#selected ?? {};
    if (!mark) return this.say("Give the words a label first.");
    const found = this.#text
      .same(mark.start, mark.end)
      .map((place) => ({ ...place, label: mark.label }))
      .filter((each) => !this.#marks.some((known) => known.share === undefined && isSame(known, each)));
    if (!found.length) return this.say(`${this.#quoted(mark)} stands nowhere else unmarked.`);
    const own = { ...mark, share: undefined };
    this.#change([...this.#marks.filter((each) => each !== mark), own, ...found]);
    this.#point(this.#marks.find((each) => isSame(each, own)));
    this.#paint();
    this.say(`${this.#quoted(mark)}: marked ${found.length} more, as ${this.answers.name(mark.label)}.`);
  }

  // ---- keys

  get does() {
    return {
      next: () => this.#cycle(1), previous: () => this.#cycle(-1),
      "span-right": () => this.#step(1), "span-left": () => this.#step(-1),
      "span-down": () => this.#line(1), "span-up": () => this.#line(-1),
      "span-first": () => this.#choose(this.#text?.words[0]),
      "span-last": () => this.#choose(this.#text?.words.at(-1)),
      "edge-right": () => this.#move(1, false), "edge-left": () => this.#move(-1, false),
      "nudge-right": () => this.#move(1, true), "nudge-left": () => this.#move(-1, true),
      edge: () => this.#otherEdge(),
      take: () => this.take(), "take-all": () => this.takeAll(),
      drop: () => this.drop(), same: () => this.same(),
    };
  }

  /** Leave what is selected; false when nothing was. */
  leave() {
    if (!this.#selected) return false;
    this.#point(null);
    this.#paint();
    return true;
  }

  #cycle(step) {
    if (!this.#marks.length) return this.say("Nothing is marked yet.");
    const at = this.#marks.indexOf(this.#selected?.mark);
    const ahead = this.#selected ? this.#marks.findIndex((mark) => byPlace(mark, { ...this.#selected, label: 0 }) > 0) : 0;
    let next = at + step;
    if (at < 0) next = step > 0 ? Math.max(ahead, 0) : (ahead < 0 ? this.#marks.length : ahead) - 1;
    this.#point(this.#marks.at(next % this.#marks.length));
    this.#paint();
    this.say(this.#told());
  }

  #step(step) {
    if (!this.#text) return;
    const from = this.#selected;
    const forward = this.#text.isRightToLeft(from?.start ?? 0) ? -step : step;
    if (!from) this.#choose(forward > 0 ? this.#text.wordFrom(0) : this.#text.words.at(-1));
    else this.#choose(forward > 0 ? this.#text.wordFrom(from.end) : this.#text.wordBefore(from.start));
  }

  /** The word under the present one, or over it, where the eye would go. */
  #line(step) {
    if (!this.#text) return;
    if (!this.#selected) return this.#choose(this.#text.wordFrom(0));
    const from = step > 0 ? this.#selected.end - 1 : this.#selected.start;
    const box = this.#text.range(from, from + 1).getBoundingClientRect();
    for (const lines of [1, 2, 3, 4]) {
      const at = this.#offsetAt(box.x + box.width / 2, box.y + box.height / 2 + step * lines * box.height * 1.3);
      if (at === null) continue;
      const word = this.#text.wordFrom(at) ?? this.#text.wordBefore(at);
      const isBeyond = word && (step > 0 ? word.start >= this.#selected.end : word.end <= this.#selected.start);
      if (isBeyond) return this.#choose(word);
    }
  }

  #offsetAt(x, y) {
    const room = this.stage.getBoundingClientRect();
    if (y < room.top || y > room.bottom) this.stage.scrollBy({ top: y - (room.top + room.height / 2) });
    const scrolled = room.top + room.height / 2;
    return this.#offsetUnder(x, y < room.top || y > room.bottom ? scrolled : y);
  }

  #offsetUnder(x, y) {
    if (document.caretPositionFromPoint) {
      const found = document.caretPositionFromPoint(x, y);
      return found ? this.#text.offset(found.offsetNode, found.offset) : null;
    }
    const range = document.caretRangeFromPoint?.(x, y); // Safari's name for it
    return range ? this.#text.offset(range.startContainer, range.startOffset) : null;
  }

  #choose(place) {
    if (!place) return this.say("There is no further word.");
    this.#point(place);
    this.#paint();
    this.say(this.#told());
  }

  #otherEdge() {
    this.#edge = this.#edge === "end" ? "start" : "end";
    this.say(`Now the ${this.#edge} moves.`);
    this.#tell();
  }

  /** Move the active edge by a word, or by a character; a mark moves with it. */
  #move(step, byCharacter) {
    const at = this.#selected;
    if (!at) return this.#step(step);
    const forward = this.#text.isRightToLeft(at.start) ? -step : step;
    const from = at[this.#edge];
    const to = byCharacter ? this.#text.border(from, forward) : this.#wordEdge(from, forward);
    const place = { start: at.start, end: at.end, [this.#edge]: to };
    if (place.start >= place.end) return this.say("The edges meet here.");
    if (at.mark) {
      const moved = { ...place, label: at.mark.label };
      this.#change([...this.#marks.filter((mark) => mark !== at.mark), moved]);
      this.#point(this.#marks.find((mark) => isSame(mark, moved)));
    } else this.#point(place);
    this.#paint();
    this.say(this.#told());
  }

  #wordEdge(from, forward) {
    if (this.#edge === "end") {
      const word = forward > 0 ? this.#text.wordFrom(from) : this.#text.wordBefore(this.#text.wordBefore(from)?.start ?? 0);
      return word?.end ?? from;
    }
    const word = forward < 0 ? this.#text.wordBefore(from) : this.#text.wordFrom(this.#text.wordFrom(from)?.end ?? from);
    return word?.start ?? from;
  }

  // ---- pointing

  #point(place) {
    this.#selected = place && { start: place.start, end: place.end, mark: this.#marks.includes(place) ? place : null };
  }

  /** The handles of a touch screen move without a pointer of ours; keys have set all this already. */
  #selectionChanged() {
    if (!this.#text || !this.#isOpen || this.#pointing || !matchMedia("(pointer: coarse)").matches) return;
    const found = this.#text.selected;
    if (!found || found.start === found.end) return;
    const place = this.snap.checked ? this.#text.snapped(found) : found;
    if (place.start === this.#selected?.start && place.end === this.#selected?.end) return;
    this.#point(place);
    this.#tell();
  }

  #pointerUp(event) {
    if (!this.#pointing) return;
    this.#pointing = false;
    if (!this.#text || !this.#isOpen) return;
    const found = this.#text.selected;
    if (!found && !event.target.closest?.(".item-text")) return;
    // A finger that did not move taps; the mouse has let go of the former selection by itself.
    const isTap = event.pointerType === "touch";
    if (found && found.start < found.end && !isTap)
      this.#point(this.snap.checked && !event.altKey ? this.#text.snapped(found) : found);
    else this.#clicked(this.#offsetUnder(event.clientX, event.clientY));
    this.#paint();
    if (this.#selected) this.say(this.#told());
  }

  /** A click goes to the mark under it, each further one to the mark around that. */
  #clicked(at) {
    const here = this.#marks
      .filter((mark) => at !== null && mark.start <= at && at <= mark.end)
      .sort((a, b) => a.end - a.start - (b.end - b.start));
    const last = here.indexOf(this.#selected?.mark);
    this.#point(here[(last + 1) % (here.length || 1)] ?? null);
  }

  #listClicked(event) {
    const button = event.target.closest("button");
    if (!button || !this.#isOpen) return;
    if (event.detail > 0) button.blur();
    this.#point(this.#marks[Number(button.dataset.at)] ?? null);
    this.#paint();
    this.say(this.#told());
  }

  // ---- what the page shows

  #paint() {
    const mark = this.#selected?.mark;
    this.#text?.draw(
      this.#marks.map((each) => ({
        start: each.start, end: each.end,
        hue: this.answers.label(each.label)?.hue ?? 8,
        name: `${this.answers.name(each.label)}${each.share === undefined ? "" : ` ${Math.round(each.share * 100)} %`}`,
        kind: `${this.#kind(each)}${each === mark ? " now" : ""}`,
      })),
    );
    this.#showSelection();
    this.#drawList();
    this.#tell();
    document.querySelector(".span-tools").hidden = !this.#isOpen;
    if (!this.#isOpen) return; // what else is asked has the rows
    this.answers.show([], mark && mark.share === undefined ? [mark.label] : null, null, this.#counts());
    this.onChange();
  }

  #kind = ({ share }) => (share === undefined ? "own" : share >= this.#least ? "suggested" : "unsure");

  #counts() {
    const counts = new Map();
    for (const { label } of this.#standing) counts.set(label, (counts.get(label) ?? 0) + 1);
    return counts;
  }

  #showSelection() {
    if (!this.#selected) {
      if (this.#text?.selected) getSelection().removeAllRanges();
      return;
    }
    const range = this.#text.select(this.#selected.start, this.#selected.end);
    const box = range.getBoundingClientRect();
    const room = this.stage.getBoundingClientRect();
    if (box.top < room.top || box.bottom > room.bottom - 24)
      this.stage.scrollBy({ top: box.top - room.top - room.height / 3 });
  }

  #quoted({ start, end }) {
    const words = this.#text.text.slice(start, end).replace(/\s+/g, " ");
    return `“${words.length > 80 ? `${words.slice(0, 79)}…` : words}”`;
  }

  /** What is selected, in words: spoken, and shown over the labels. */
  #told() {
    const at = this.#selected;
    if (!at) return "Nothing is selected.";
    const names = this.#marks
      .filter((mark) => (at.mark ? mark === at.mark : mark.start === at.start && mark.end === at.end))
      .map(({ label, share }) => `${this.answers.name(label)}${share === undefined ? "" : `, suggested at ${Math.round(share * 100)} %`}`);
    return `${this.#quoted(at)}${names.length ? `: ${names.join("; ")}` : ""}`;
  }

  #tell() {
    const at = this.#selected;
    this.now.textContent = at ? `${this.#told()}${this.#edge === "start" ? " · the start moves" : ""}` : "";
    const isSuggested = at?.mark?.share !== undefined;
    const can = {
      take: isSuggested, drop: Boolean(this.#here), same: Boolean(at?.mark),
      "take-all": this.#marks.some((mark) => mark.share >= this.#least),
    };
    for (const [name, possible] of Object.entries(can))
      document.querySelectorAll(`.span-tools [data-does=${name}]`).forEach((button) => (button.disabled = !possible));
  }

  #drawList() {
    const middle = Math.max(0, this.#marks.indexOf(this.#selected?.mark));
    const first = Math.max(0, Math.min(middle - LISTED / 2, this.#marks.length - LISTED));
    const rows = this.#marks.slice(first, first + LISTED).map((mark, place) => {
      const at = first + place;
      const row = document.createElement("li");
      const button = document.createElement("button");
      const dot = document.createElement("span");
      const quote = document.createElement("span");
      const name = document.createElement("span");
      button.type = "button";
      button.dataset.at = at;
      button.className = `span-row hue-${this.answers.label(mark.label)?.hue ?? 8} ${this.#kind(mark)}`;
      button.setAttribute("aria-pressed", String(mark === this.#selected?.mark));
      dot.className = "dot";
      quote.textContent = this.#quoted(mark);
      quote.className = "quote";
      quote.dir = "auto";
      name.className = "muted";
      name.textContent = `${this.answers.name(mark.label)}${mark.share === undefined ? "" : `, suggested, ${Math.round(mark.share * 100)} %`}`;
      button.append(dot, quote, name);
      row.append(button);
      return row;
    });
    this.list.replaceChildren(...rows);
    const more = this.#marks.length - rows.length;
    byId("span-none").textContent = more ? `${more} more: j and k go to them.` : "Nothing is marked yet.";
    byId("span-none").hidden = rows.length > 0 && !more;
  }

  #remember(input, name) {
    const key = `${this.prefix}.span-${name}`;
    const field = input.type === "checkbox" ? "checked" : "value";
    try {
      const kept = localStorage.getItem(key);
      if (kept !== null) input[field] = JSON.parse(kept);
    } catch {
      // as the page has it
    }
    input.addEventListener("change", () => {
      try {
        localStorage.setItem(key, JSON.stringify(input[field]));
      } catch {
        // for this page only
      }
    });
  }
}
