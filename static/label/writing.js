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
  #own = null; // what the person wrote and left for one of these

  constructor({ say, onChange, onAnswer, prefix }) {
    Object.assign(this, { say, prefix });
    this.field = new TextField({ say, onAnswer, onChange: () => (this.#tell(), onChange()) });
    byId("writing-other").addEventListener("click", () => this.#other());
  }

  /** Show a card, with an earlier answer where it was taken back, or with what is suggested, or was begun. */
  show(card) {
    this.#suggestion = card ? suggestedOf(card) : "";
    this.#begun = card ? JSON.parse(card.dataset.given).begun : "";
    this.#own = null;
    if (card) this.field.open(this.#draftOf(card), card.value?.text ?? this.#beginning(card));
    else this.field.close();
    this.#tell();
  }

  get #asSuggested() {
    return this.#suggestion !== "" && this.field.text === this.#suggestion;
  }

  #tell() {
    byId("writing-suggested").hidden = !this.#suggestion;
    byId("writing-whose").textContent = this.#asSuggested ? "As a teacher suggests it:" : "Not as suggested:";
    byId("writing-other-word").textContent = this.#wordsFor(this.#next);
    byId("writing-text").classList.toggle("suggested", this.#asSuggested);
  }

  /** From what is suggested to what is given, to what was written, and round again. */
  #other() {
    if (!this.#suggestion) return;
    const next = this.#next;
    const { text } = this.field;
    if (text && text !== this.#suggestion && text !== this.#begun) this.#own = text;
    this.field.fill(next);
  }

  get #next() {
    const stops = [...new Set([this.#suggestion, this.#begun, this.#own ?? this.#suggestion])];
    return stops[(stops.indexOf(this.field.text) + 1) % stops.length];
  }

  #wordsFor(text) {
    if (text === this.#suggestion) return "begin with the suggestion";
    if (text !== this.#begun) return "back to your own text";
    return this.#begun ? "begin with the second text" : "begin empty";
  }

  #beginning(card) {
    const [blind] = this.#draftsOf(card);
    return localStorage.getItem(blind) ?? (this.#suggestion || this.#begun);
  }

  #draftOf(card) {
    const [blind, suggested] = this.#draftsOf(card);
    return suggestedOf(card) ? suggested : blind;
  }

  /** What was begun without a suggestion, and on one: that must not be met again where the item is blind. */
  #draftsOf(card) {
    const blind = `${this.prefix}.draft.${card.dataset.item}`;
    return [blind, `${blind}.suggested`];
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
    this.field.forget(...this.#draftsOf(card));
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
