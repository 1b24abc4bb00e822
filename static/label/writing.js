// Answers that are texts: written, or edited where the item gives one. What is not answered yet is kept
// in this browser as a draft, so that no closed tab loses it.

const LONGEST = 20_000;
const KEPT_MS = 300;
const TOLD = 24; // letters of a text that name it

/** Keys of a page with texts, beside the usual ones. */
export const ACTIONS = [{ name: "write", words: "Go to the text", keys: ["e"] }];

const byId = (id) => document.getElementById(id);
const short = (text) => (text.length > TOLD ? `${text.slice(0, TOLD - 1)}…` : text);

/** What a stored value said, in a few words. */
export const wordsOf = (value) => `“${short(value.text.trim().replaceAll(/\s+/g, " "))}”`;

export class Widget {
  #card = null;
  #timer = 0;

  /** `say(sentence)` speaks to a screen reader, `onChange()` runs when what would be answered changed. */
  constructor({ say, onChange, onAnswer, prefix }) {
    Object.assign(this, { say, onChange, prefix });
    this.field = byId("writing-text");
    this.field.addEventListener("input", () => this.#written());
    this.field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
      event.preventDefault();
      onAnswer();
    });
    addEventListener("pagehide", () => this.#keep());
  }

  /** Show a card, with an earlier answer where it was taken back, or with what was begun. */
  show(card) {
    this.#keep();
    this.#card = card ?? null;
    this.field.disabled = !card;
    this.field.value = card ? this.#textOf(card) : "";
    this.#tell();
    if (card && !matchMedia("(pointer: coarse)").matches) this.field.focus({ preventScroll: true });
  }

  #textOf(card) {
    return localStorage.getItem(this.#nameOf(card)) ?? card.value?.text ?? this.#begunOf(card);
  }

  #begunOf(card) {
    return JSON.parse(card.dataset.given).begun;
  }

  #nameOf(card) {
    return `${this.prefix}.draft.${card.dataset.item}`;
  }

  get canUndo() {
    return false;
  }

  get words() {
    return this.#text.trim() ? wordsOf({ text: this.#text }) : "nothing written";
  }

  get #text() {
    return this.field.value;
  }

  /** The value to answer with, or null while there is none. */
  answer() {
    if (this.#text.trim()) return { text: this.#text };
    this.say("Nothing is written. Write a text, or skip the item.");
    this.field.focus();
    return null;
  }

  /** The card was answered or skipped: its draft is done with. */
  answered(card) {
    clearTimeout(this.#timer);
    localStorage.removeItem(this.#nameOf(card));
    this.#card = null;
  }

  undo() {
    return false;
  }

  leave() {
    return false;
  }

  pick() {
    this.say("This project has no labels: write a text.");
  }

  get does() {
    return { write: () => !this.field.disabled && this.field.focus() };
  }

  #written() {
    this.#tell();
    this.onChange();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#keep(), KEPT_MS);
  }

  #keep() {
    clearTimeout(this.#timer);
    if (!this.#card) return;
    const begun = this.#card.value?.text ?? this.#begunOf(this.#card);
    try {
      if (this.#text === begun) localStorage.removeItem(this.#nameOf(this.#card));
      else localStorage.setItem(this.#nameOf(this.#card), this.#text);
    } catch {
      byId("writing-count").textContent = "This browser's storage is full: the draft is not kept.";
    }
  }

  #tell() {
    const left = LONGEST - this.#text.length;
    const told = left < 500 ? `${left.toLocaleString("en")} characters left.` : "";
    byId("writing-count").textContent = told;
  }
}
