// Forms of which some questions mark the text: the same keys do what the question at hand asks for.

import * as form from "./form.js";
import * as spans from "./spans.js";

const SCROLLED = 60; // units of the page, by an arrow key while nothing is marked

/** Keys of such a page; an arrow to the left goes back where no words are selected by it. */
export const ACTIONS = [...spans.ACTIONS, ...form.WRITING].map((action) =>
  action.name === "span-left" ? { ...action, words: `${action.words}, or back to the question before` } : action,
);

export const { wordsOf } = form;

export class Widget extends form.Widget {
  constructor(given) {
    super(given, new spans.Widget(given));
  }

  /** What keys do while the text is marked, and what they do else. */
  get does() {
    const scroll = (by) => document.getElementById("stage").scrollBy({ top: by });
    const otherwise = {
      "span-left": super.does.back,
      "span-down": () => scroll(SCROLLED), "span-up": () => scroll(-SCROLLED),
      next: () => this.answers.move(1), previous: () => this.answers.move(-1),
    };
    const act = (name, does) => () => (this.marks ? does() : otherwise[name]?.());
    const acts = Object.entries(this.marker.does).map(([name, does]) => [name, act(name, does)]);
    return { ...Object.fromEntries(acts), ...this.writing };
  }
}
