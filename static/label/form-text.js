// The question of a form that is answered with a text. Another answer before it loses no draft either.

import { ACTIONS, TextField, short } from "./text-field.js";

export { ACTIONS, short };

export class Writer {
  #question = null;

  constructor({ say, onChange, onAnswer, prefix }) {
    this.prefix = prefix;
    this.place = document.getElementById("writing");
    this.field = new TextField({ say, onChange, onAnswer });
  }

  /** Ask a question of an item; `said` was answered before. */
  open(card, question, said) {
    this.rest();
    this.#question = question;
    this.place.hidden = false;
    const begun = question.edits ? JSON.parse(card.dataset.given).begun : "";
    this.field.open(this.#draftOf(card, question), said ?? begun, begun);
  }

  /** Something else is asked. */
  rest() {
    this.field.close();
    this.place.hidden = true;
  }

  /** An item was answered or skipped: what was kept of it is done with. */
  done(card, questions) {
    this.field.forget(...questions.map((question) => this.#draftOf(card, question)));
  }

  get text() {
    return this.field.text;
  }

  get words() {
    return this.field.words;
  }

  /** The text, "" where it may be left empty; null while one is missing. */
  answer() {
    const { text } = this;
    if (text || this.#question.optional) return text;
    this.field.tellMissing();
    return null;
  }

  write() {
    this.field.focus();
  }

  #draftOf(card, question) {
    return `${this.prefix}.draft.${card.dataset.item}.${question.key}`;
  }
}
