// Forms: one question after another, each with its own labels; some only after certain answers.

/** Keys of a page with forms, beside the usual ones. */
export const ACTIONS = [{ name: "back", words: "Back to the question before", keys: ["ArrowLeft"] }];

const byId = (id) => document.getElementById(id);
const suggestionOf = (card) => (card.dataset.blind === undefined ? JSON.parse(card.dataset.suggestion) : []);

export class Widget {
  #card = null;
  #said = new Map(); // question key -> label ids, of the questions that were answered
  #at = 0; // place among the questions that are asked
  #armed = false;

  /** `answers` shows the labels; `digitAnswers()` tells whether a digit alone answers a question with one. */
  constructor({ answers, say, onChange, onAnswer, digitAnswers }) {
    Object.assign(this, { answers, say, onChange, onAnswer, digitAnswers });
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
    this.#at = 0;
    const given = card?.labels;
    if (given) {
      for (const question of this.questions)
        if (this.#isAsked(question)) this.#said.set(question.key, question.labels.filter((id) => given.includes(id)));
      this.#at = this.#asked().length - 1;
    }
    this.#paint();
  }

  /** What is asked now, for a screen reader. */
  get asks() {
    return this.#question ? `${this.#question.name}?` : "";
  }

  get canUndo() {
    return this.#at > 0;
  }

  /** What enter would do: go on to a further question, or answer the item. */
  get verb() {
    return this.#card && this.#next(this.#picked ?? []) ? "go on" : "answer";
  }

  get words() {
    const picked = this.#picked;
    if (this.#armed) return "none of them, again";
    return picked === null ? "nothing chosen" : picked.map((id) => this.answers.name(id)).join(", ") || "none";
  }

  /** Take the answer to the present question; all labels when it was the last one, else null. */
  answer() {
    const question = this.#question;
    const picked = this.#picked;
    if (picked === null && !(question.several && this.#armed)) {
      this.#armed = question.several;
      this.say(question.several ? "Nothing is chosen. Press enter again: none of them." : "Choose an answer first.");
      this.onChange();
      return null;
    }
    const next = this.#next(picked ?? []);
    this.#said.set(question.key, picked ?? []);
    if (next) {
      this.#go(this.#asked().indexOf(next));
      return null;
    }
    return { labels: this.#asked().flatMap((each) => this.#said.get(each.key) ?? []) };
  }

  answered() {
    this.#card = null;
  }

  /** Back to the question before; false at the first one, where the last item is taken back. */
  undo() {
    if (!this.#at) return false;
    this.#keep();
    this.#go(this.#at - 1);
    return true;
  }

  leave() {
    return false;
  }

  pick(id) {
    this.#armed = false;
    this.answers.toggle(id);
    if (!this.#question.several && this.digitAnswers()) this.onAnswer();
  }

  get does() {
    return { back: () => this.#card && this.undo() };
  }

  get #question() {
    return this.#card ? this.#asked()[this.#at] : undefined;
  }

  /** The labels that are chosen or suggested; null while there are none. */
  get #picked() {
    return this.#card ? this.answers.acceptable : null;
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
    }
    return found;
  }

  /** The question that follows when the present one is answered so. */
  #next(picked) {
    const question = this.#question;
    const before = new Map(this.#said);
    this.#said.set(question.key, picked);
    const asked = this.#asked();
    this.#said = before;
    return asked[asked.indexOf(question) + 1];
  }

  /** Keep what was chosen by hand when the question is left otherwise than by enter. */
  #keep() {
    if (this.answers.touched) this.#said.set(this.#question.key, this.answers.acceptable ?? []);
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
    byId("form-kind").textContent = question?.several ? "any number of answers" : "";
    this.#paintTrail();
    if (!question) {
      this.answers.ask([], { several: false });
      this.answers.show([]);
      return;
    }
    this.answers.ask(question.labels, { several: question.several });
    const own = suggestionOf(this.#card).filter(([id]) => question.labels.includes(id));
    this.answers.show(own, this.#said.get(question.key) ?? null);
  }

  /** The other questions that were answered, each to be gone back to. */
  #paintTrail() {
    const asked = this.#card ? this.#asked() : [];
    const steps = asked.map((question, place) => {
      const said = this.#said.get(question.key);
      if (!said || place === this.#at) return null;
      const button = Object.assign(document.createElement("button"), { type: "button", className: "act" });
      button.dataset.step = place;
      const words = said.map((id) => this.answers.name(id)).join(", ") || "none";
      button.append(question.name, Object.assign(document.createElement("strong"), { textContent: words }));
      const step = document.createElement("li");
      step.append(button);
      return step;
    });
    byId("form-trail").replaceChildren(...steps.filter(Boolean));
  }
}
