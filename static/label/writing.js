// Answers that are texts: written, or edited where the item gives one.

import { ACTIONS, TextField, short } from "./text-field.js";

/** Keys of a page with texts, beside the usual ones. */
export { ACTIONS };

/** What a stored value said, in a few words. */
export const wordsOf = (value) => short(value.text);

export class Widget {
  constructor({ say, onChange, onAnswer, prefix }) {
    Object.assign(this, { say, prefix });
    this.field = new TextField({ say, onChange, onAnswer });
  }

  /** Show a card, with an earlier answer where it was taken back, or with what was begun. */
  show(card) {
    if (card) this.field.open(this.#draftOf(card), card.value?.text ?? JSON.parse(card.dataset.given).begun);
    else this.field.close();
  }

  #draftOf(card) {
    return `${this.prefix}.draft.${card.dataset.item}`;
  }

  get canUndo() {
    return false;
  }

  get words() {
    return this.field.words;
  }

  /** The value to answer with, or null while there is none. */
  answer() {
    const { text } = this.field;
    if (text) return { text };
    this.field.tellMissing();
    return null;
  }

  /** The card was answered or skipped: its draft is done with. */
  answered(card) {
    this.field.forget(this.#draftOf(card));
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
    return { write: () => this.field.focus() };
  }
}
