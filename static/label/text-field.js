// The field that a text is written in. What is typed and not answered yet is kept in this browser as a
// draft, so that no closed tab loses it.

const LONGEST = 20_000;
const KEPT_MS = 300;
const TOLD = 24; // letters of a text that name it

/** Keys of a page with such a field. */
export const ACTIONS = [{ name: "write", words: "Go to the text", keys: ["e"] }];

const byId = (id) => document.getElementById(id);

/** A text in a few words. */
export function short(text) {
  const words = text.trim().replaceAll(/\s+/g, " ");
  return `“${words.length > TOLD ? `${words.slice(0, TOLD - 1)}…` : words}”`;
}

export class TextField {
  #draft = ""; // the name of what is kept, "" while nothing is written to
  #plain = "";
  #timer = 0;

  /** `say(sentence)` speaks to a screen reader, `onChange()` runs when what would be answered changed. */
  constructor({ say, onChange, onAnswer }) {
    Object.assign(this, { say, onChange });
    this.field = byId("writing-text");
    this.field.addEventListener("input", () => this.#written());
    this.field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
      event.preventDefault();
      onAnswer();
    });
    addEventListener("pagehide", () => this.#keep());
  }

  /** Write to the draft of this name, else from `text` on; what equals `plain` is not kept. */
  open(draft, text, plain = text) {
    this.#keep();
    [this.#draft, this.#plain] = [draft, plain];
    this.field.disabled = false;
    this.field.value = localStorage.getItem(draft) ?? text;
    this.#tell();
    if (!matchMedia("(pointer: coarse)").matches) this.focus();
  }

  /** Put a text in the place of what is written. */
  fill(text) {
    this.field.value = text;
    this.#written();
    this.focus();
  }

  /** Nothing is written to; what was typed stays kept. */
  close() {
    this.#keep();
    this.#draft = "";
    this.field.disabled = true;
    this.field.value = "";
    this.field.blur(); // or it would have the next key
    this.#tell();
  }

  /** These drafts are done with, and nothing more is kept. */
  forget(...drafts) {
    clearTimeout(this.#timer);
    this.#draft = "";
    for (const draft of drafts) localStorage.removeItem(draft);
  }

  /** What is written; "" where that is nothing but blanks. */
  get text() {
    return this.field.value.trim() ? this.field.value : "";
  }

  get words() {
    return this.text ? short(this.text) : "nothing written";
  }

  /** Say that a text is missing. */
  tellMissing() {
    this.say("Nothing is written. Write a text, or skip the item.");
    this.field.focus();
  }

  focus() {
    if (this.#draft) this.field.focus({ preventScroll: true });
  }

  #written() {
    this.#tell();
    this.onChange();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#keep(), KEPT_MS);
  }

  #keep() {
    clearTimeout(this.#timer);
    if (!this.#draft) return;
    try {
      if (this.field.value === this.#plain) localStorage.removeItem(this.#draft);
      else localStorage.setItem(this.#draft, this.field.value);
    } catch {
      byId("writing-count").textContent = "This browser's storage is full: the draft is not kept.";
    }
  }

  #tell() {
    const left = LONGEST - this.field.value.length;
    byId("writing-count").textContent = left < 500 ? `${left.toLocaleString("en")} characters left.` : "";
  }
}
