// Answers that are texts: written, or edited where the item gives one or a teacher suggests one.

import { ACTIONS as OF_FIELD, TextField, short } from "./text-field.js";

/** Keys of a page with texts, beside the usual ones. */
export const ACTIONS = [...OF_FIELD, { name: "other", words: "Begin with what is suggested, or without it", keys: ["s"] }];

const byId = (id) => document.getElementById(id);
/** The text that a teacher suggests of a card; "" where there is none, or none is shown. */
const suggestedOf = (card) => (card.dataset.blind === undefined ? JSON.parse(card.dataset.suggestion).text ?? "" : "");

/** What a stored value said, in a few words. */
export const wordsOf = (value) => short(value.text);

export class Widget {
  #suggestion = ""; // what is suggested of the card, "" where nothing is
  #begun = ""; // what its item gives to be edited

  constructor({ say, onChange, onAnswer, prefix }) {
    Object.assign(this, { say, prefix });
    this.field = new TextField({ say, onAnswer, onChange: () => (this.#tell(), onChange()) });
    byId("writing-other").addEventListener("click", () => this.#other());
  }

  /** Show a card, with an earlier answer where it was taken back, or with what is suggested, or was begun. */
  show(card) {
    this.#suggestion = card ? suggestedOf(card) : "";
    this.#begun = card ? JSON.parse(card.dataset.given).begun : "";
    if (card) this.field.open(this.#draftOf(card), card.value?.text ?? (this.#suggestion || this.#begun));
    else this.field.close();
    this.#tell();
  }

  get #asSuggested() {
    return this.#suggestion !== "" && this.field.text === this.#suggestion;
  }

  #tell() {
    const without = this.#begun ? "begin with the second text" : "begin empty";
    byId("writing-suggested").hidden = !this.#suggestion;
    byId("writing-whose").textContent = this.#asSuggested ? "As a teacher suggests it:" : "Not as suggested:";
    byId("writing-other-word").textContent = this.#asSuggested ? without : "begin with the suggestion";
    byId("writing-text").classList.toggle("suggested", this.#asSuggested);
  }

  /** From what is suggested to what is given, and back. */
  #other() {
    if (this.#suggestion) this.field.fill(this.#asSuggested ? this.#begun : this.#suggestion);
  }

  #draftOf(card) {
    return `${this.prefix}.draft.${card.dataset.item}`;
  }

  get canUndo() {
    return false;
  }

  get words() {
    return this.#asSuggested ? "as suggested" : this.field.words;
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
    return { write: () => this.field.focus(), other: () => this.#other() };
  }
}
