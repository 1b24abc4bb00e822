// Forms: one question after another, each with its own labels; some only after certain answers.

import * as text from "./form-text.js";

const byId = (id) => document.getElementById(id);
/** Keys for the text, where some question takes one. */
export const WRITING = byId("writing-text") ? text.ACTIONS : [];

/** Keys of a page with forms, beside the usual ones. */
export const ACTIONS = [{ name: "back", words: "Back to the question before", keys: ["ArrowLeft"] }, ...WRITING];

/** What a stored answer said: the names of its labels, and its texts in a few words. */
export function wordsOf(value, names) {
  const texts = Object.values(value.texts ?? {}).map(text.short);
  return texts.length && names === "none" ? texts.join(", ") : [names, ...texts].join(", ");
}

/** The labels that are suggested, with their shares; beside spans they have a name. */
const suggestionOf = (card) => {
  if (card.dataset.blind !== undefined) return [];
  const shown = JSON.parse(card.dataset.suggestion);
  return Array.isArray(shown) ? shown : shown.labels ?? [];
};

export class Widget {
  #card = null;
  #said = new Map(); // question key -> label ids, of the questions that were answered
  #marked = new Map(); // question key -> spans, of those among them that mark the text
  #texts = new Map(); // question key -> text, of those among them that take one
  #at = 0; // place among the questions that are asked
  #armed = false;

  /**
   * `answers` shows the labels; `digitAnswers()` tells whether a digit alone answers a question with one.
   * `marker` marks the text, where a question asks for that.
   */
  constructor({ answers, say, onChange, onAnswer, digitAnswers, prefix }, marker = null) {
    Object.assign(this, { answers, say, onChange, onAnswer, digitAnswers, marker });
    this.writer = byId("writing-text") && new text.Writer({ say, onChange, onAnswer, prefix });
    this.questions = JSON.parse(byId("form-data").textContent);
    byId("form-trail").addEventListener("click", (event) => {
      const step = event.target.closest("[data-step]");
      if (!step || !this.#card) return;
      if (event.detail > 0) step.blur();
      this.#keep();
      this.#go(Number(step.dataset.step));
    });
  }

  /** Show a card at its first question; one that was taken back at its last, with what was said. */
  show(card) {
    this.#card = card ?? null;
    this.#said = new Map();
    this.#marked = new Map();
    this.#texts = new Map(Object.entries(card?.value?.texts ?? {}));
    this.#at = 0;
    const given = card?.labels;
    if (given) {
      for (const question of this.questions) {
        if (!this.#isAsked(question)) continue;
        this.#said.set(question.key, question.labels.filter((id) => given.includes(id)));
        if (question.marks)
          this.#marked.set(question.key, card.value.spans.filter(({ label }) => question.labels.includes(label)));
      }
      this.#at = this.#asked().length - 1;
    }
    this.#paint();
  }

  /** What is asked now, for a screen reader. */
  get asks() {
    return this.#question ? `${this.#question.name}?` : "";
  }

  get canUndo() {
    return this.#at > 0 || (this.marks && this.marker.canUndo);
  }

  /** Whether the present question asks to mark the text. */
  get marks() {
    return Boolean(this.#question?.marks);
  }

  /** What enter would do: go on to a further question, or answer the item. */
  get verb() {
    return this.#card && this.#next(this.#picked ?? []) ? "go on" : "answer";
  }

  /** Whether the present question takes a text. */
  get writes() {
    return Boolean(this.#question?.writes);
  }

  get words() {
    if (this.writes) return this.writer.words;
    if (this.marks) return this.marker.words;
    const picked = this.#picked;
    if (this.#armed) return "none of them, again";
    return picked === null ? "nothing chosen" : picked.map((id) => this.answers.name(id)).join(", ") || "none";
  }

  /** Take the answer to the present question; all labels when it was the last one, else null. */
  answer() {
    const question = this.#question;
    const value = question.marks ? this.marker.answer() : undefined;
    const written = question.writes ? this.writer.answer() : undefined;
    if (value === null || written === null) return null;
    const picked = this.#picked;
    if (picked === null && !(question.several && this.#armed)) {
      this.#armed = question.several;
      this.say(question.several ? "Nothing is chosen. Press enter again: none of them." : "Choose an answer first.");
      this.onChange();
      return null;
    }
    const next = this.#next(picked ?? []);
    this.#said.set(question.key, picked ?? []);
    if (value) this.#marked.set(question.key, value.spans);
    this.#write(question, written);
    if (next) {
      this.#go(this.#asked().indexOf(next));
      return null;
    }
    const labels = this.#asked().flatMap((each) => this.#said.get(each.key) ?? []);
    return { labels, value: this.#value };
  }

  answered(card) {
    this.writer?.done(card, this.questions.filter((question) => question.writes));
    this.#card = null;
  }

  /** Back to the question before; false at the first one, where the last item is taken back. */
  undo() {
    if (this.marks && this.marker.undo()) return true;
    if (!this.#at) return false;
    this.#keep();
    this.#go(this.#at - 1);
    return true;
  }

  leave() {
    return this.marks && this.marker.leave();
  }

  pick(id) {
    if (this.writes) return this.say("Write a text to this question.");
    if (this.marks) return this.marker.pick(id);
    this.#armed = false;
    this.answers.toggle(id);
    if (!this.#question.several && this.digitAnswers()) this.onAnswer();
  }

  get does() {
    return { back: () => this.#card && this.undo(), ...this.writing };
  }

  get writing() {
    return this.writer ? { write: () => this.writer.write() } : {};
  }

  get #question() {
    return this.#card ? this.#asked()[this.#at] : undefined;
  }

  /** The labels that are chosen or suggested; null while there are none. */
  get #picked() {
    if (this.marks) return this.marker.labels;
    if (this.writes) return [];
    return this.#card ? this.answers.acceptable : null;
  }

  /** All that is marked, of the questions that are asked. */
  get #spans() {
    return this.#asked().flatMap((each) => this.#marked.get(each.key) ?? []);
  }

  /** What the answer has beside its labels; nothing where these are all. */
  get #value() {
    if (!this.marker && !this.writer) return undefined;
    const asked = this.#asked().filter(({ key }) => this.#texts.has(key));
    const texts = Object.fromEntries(asked.map(({ key }) => [key, this.#texts.get(key)]));
    return { ...(this.marker && { spans: this.#spans }), ...(this.writer && { texts }) };
  }

  #write(question, written) {
    if (written) this.#texts.set(question.key, written);
    else this.#texts.delete(question.key);
  }

  #isAsked(question) {
    if (!question.after.length) return true;
    const given = [...this.#said.values()].flat();
    return question.after.some((id) => given.includes(id));
  }

  /** The questions that the answers so far lead to, in their order. */
  #asked() {
    const found = [];
    for (const question of this.questions) {
      if (this.#isAsked(question)) found.push(question);
      else this.#said.delete(question.key); // what hangs on it is asked no more either
      if (this.#said.has(question.key)) continue;
      this.#marked.delete(question.key);
      this.#texts.delete(question.key);
    }
    return found;
  }

  /** The question that follows when the present one is answered so. */
  #next(picked) {
    const question = this.#question;
    const [said, marked, texts] = [new Map(this.#said), new Map(this.#marked), new Map(this.#texts)];
    this.#said.set(question.key, picked);
    const asked = this.#asked();
    [this.#said, this.#marked, this.#texts] = [said, marked, texts];
    return asked[asked.indexOf(question) + 1];
  }

  /** Keep what was chosen by hand when the question is left otherwise than by enter. */
  #keep() {
    if (this.writes) {
      const written = this.writer.text;
      if (written) this.#said.set(this.#question.key, []);
      else this.#said.delete(this.#question.key);
      this.#write(this.#question, written);
    } else if (this.marks) {
      if (!this.marker.canUndo) return;
      const { key } = this.#question;
      this.#said.set(key, this.marker.labels);
      this.#marked.set(key, this.marker.spans);
    } else if (this.answers.touched) this.#said.set(this.#question.key, this.answers.acceptable ?? []);
  }

  #go(place) {
    this.#at = Math.min(place, this.#asked().length - 1);
    this.#paint();
    this.say(this.asks);
  }

  #paint() {
    const question = this.#question;
    this.#armed = false;
    byId("form-asked").textContent = question?.name ?? "";
    byId("form-kind").textContent = this.#kind;
    this.#paintTrail();
    if (!question?.writes) this.writer?.rest();
    if (!question || !question.marks) this.marker?.rest(this.#card, this.#spans);
    if (!question) {
      this.answers.ask([], { several: false });
      this.answers.show([]);
      return;
    }
    this.answers.ask(question.labels, question);
    if (question.writes) {
      const { key } = question; // answered and without a text, it was left empty
      this.writer.open(this.#card, question, this.#texts.get(key) ?? (this.#said.has(key) ? "" : undefined));
      return this.answers.show([], []);
    }
    if (question.marks)
      return this.marker.open(this.#card, this.#marked.get(question.key), question.labels);
    const own = suggestionOf(this.#card).filter(([id]) => question.labels.includes(id));
    this.answers.show(own, this.#said.get(question.key) ?? null);
  }

  /** What the present question takes, where that does not show. */
  get #kind() {
    const question = this.#question;
    if (question?.writes) return question.optional ? "a text, or nothing" : "a text";
    if (question?.marks) return "mark the text";
    return question?.several ? "any number of answers" : "";
  }

  /** The other questions that were answered, each to be gone back to. */
  #paintTrail() {
    const asked = this.#card ? this.#asked() : [];
    const steps = asked.map((question, place) => {
      const said = this.#said.get(question.key);
      if (!said || place === this.#at) return null;
      const button = Object.assign(document.createElement("button"), { type: "button", className: "act" });
      button.dataset.step = place;
      const names = said.map((id) => this.answers.name(id)).join(", ") || "none";
      const written = this.#texts.get(question.key) ?? "";
      const words = question.writes ? (written ? text.short(written) : "nothing written") : names;
      button.append(question.name, Object.assign(document.createElement("strong"), { textContent: words }));
      const step = document.createElement("li");
      step.append(button);
      return step;
    });
    byId("form-trail").replaceChildren(...steps.filter(Boolean));
  }
}
