// Answers that are orders: candidates are given places by digit, moved by keys, by the mouse or a finger.
// They are shown in an order that chance decides; a candidate keeps its digit while it moves.

const KEYS = "1234567890";
const UNDOABLE = 200;

/** Keys of a page with candidates; what has the name of a usual action takes its place. */
export const ACTIONS = [
  { name: "next", words: "Go to the next candidate", keys: ["j", "ArrowDown"], repeats: true },
  { name: "previous", words: "Go to the candidate before", keys: ["k", "ArrowUp"], repeats: true },
  { name: "place-up", words: "Move the candidate up", keys: ["Shift+ArrowUp"], repeats: true },
  { name: "place-down", words: "Move the candidate down", keys: ["Shift+ArrowDown"], repeats: true },
  { name: "tie", words: "Equal to the candidate above, or no longer", keys: ["="] },
];

const byId = (id) => document.getElementById(id);
/** The order that the student suggests of a card, best first; empty where it suggests none. */
const suggestedOf = (card) => (card.dataset.blind === undefined ? JSON.parse(card.dataset.suggestion).order ?? [] : []);
const counted = (count, of) => (count === of ? `${of} in order` : `${count} of ${of} placed`);

/** What a stored value said, in a few words. */
export const wordsOf = (value) => `order of ${value.order.flat().length}`;

export class Widget {
  #card = null;
  #rows = []; // {number, text, key, tied}: from the best on; `tied` to the row above
  #placed = 0; // how many of them, from the top, have a place
  #suggested = false; // whether they stand as suggested, by the student or a teacher, and nothing was placed yet
  #at = -1; // the row that keys act on
  #history = [];
  #armed = false;
  #drag = null;

  /** `say(sentence)` speaks to a screen reader, `onChange()` runs when what would be answered changed. */
  constructor({ say, onChange }) {
    Object.assign(this, { say, onChange });
    this.list = byId("ranked");
    this.list.addEventListener("pointerdown", (event) => this.#grab(event));
    this.list.addEventListener("pointermove", (event) => this.#dragTo(event));
    for (const end of ["pointerup", "pointercancel"])
      this.list.addEventListener(end, (event) => this.#drop(event));
    this.list.addEventListener("click", (event) => this.#clicked(event));
  }

  /** Show a card in the order drawn for this person, or with an earlier answer that was taken back. */
  show(card) {
    this.#card = card ?? null;
    this.#history = [];
    this.#armed = false;
    this.#at = -1;
    this.#rows = card ? this.#rowsOf(card) : [];
    this.#placed = card?.value ? this.#rows.length : 0;
    this.#suggested = Boolean(card) && !card.value && suggestedOf(card).length > 0;
    byId("ranking-what").textContent = this.#suggested ? "Best first, as suggested" : "Best first";
    this.#paint();
  }

  #rowsOf(card) {
    const { candidates } = JSON.parse(card.dataset.given);
    const shown = card.dataset.shown.split(" ").map(Number);
    const rows = shown.map((number, at) => ({
      number, text: candidates[number - 1], key: KEYS[at] ?? "", tied: false,
    }));
    const ofNumber = (number) => rows.find((row) => row.number === number);
    const order = card.value?.order ?? suggestedOf(card);
    if (!order.length) return rows;
    return order.flatMap((group) => group.map((number, at) => ({ ...ofNumber(number), tied: at > 0 })));
  }

  // ---- the answer

  get canUndo() {
    return this.#history.length > 0;
  }

  get words() {
    if (this.#suggested) return "as suggested";
    if (this.#armed) return "again: the rest as shown";
    return counted(this.#placed, this.#rows.length);
  }

  /** The value to answer with, or null while candidates without a place are not meant to stay so. */
  answer() {
    const left = this.#rows.length - this.#placed;
    if (left > 1 && !this.#armed && !this.#suggested) {
      this.#armed = true;
      this.say(`${left} candidates have no place. Press enter again to leave them in this order.`);
      this.onChange();
      return null;
    }
    const order = [];
    for (const row of this.#rows) {
      if (row.tied && order.length) order.at(-1).push(row.number);
      else order.push([row.number]);
    }
    return { order: order.map((group) => group.sort((a, b) => a - b)) };
  }

  /** Take the last step within the item back; false when there is none. */
  undo() {
    const before = this.#history.pop();
    if (!before) return false;
    ({ rows: this.#rows, placed: this.#placed, at: this.#at, suggested: this.#suggested } = before);
    this.#armed = false;
    this.#paint();
    this.say(`Step taken back: ${this.words}.`);
    return true;
  }

  #remember() {
    this.#history.push({ rows: this.#rows.map((row) => ({ ...row })), placed: this.#placed, at: this.#at, suggested: this.#suggested });
    this.#suggested = false;
    this.#history.splice(0, this.#history.length - UNDOABLE);
    this.#armed = false;
  }

  // ---- what a person does

  /** A candidate's own digit. */
  digit(key) {
    const from = this.#rows.findIndex((row) => row.key === key);
    if (from >= 0) this.#place(from);
  }

  /** The next place for a candidate without one; a placed one goes back to those without. */
  #place(from) {
    if (from >= this.#placed) return this.#move(from, this.#placed, this.#placed + 1);
    return this.#move(from, this.#placed - 1, this.#placed - 1);
  }

  #move(from, to, placed) {
    this.#remember();
    const [row] = this.#rows.splice(from, 1);
    const below = this.#rows[from];
    if (below?.tied && !row.tied) below.tied = false; // it was tied to the one that left
    row.tied = false;
    if (this.#rows[to]?.tied) row.tied = true; // between equals it is one of them
    this.#rows.splice(to, 0, row);
    this.#placed = placed;
    // The last one without a place has only one left.
    if (this.#placed === this.#rows.length - 1 && placed > 0 && to < placed) this.#placed += 1;
    this.#at = to;
    this.#paint();
    this.say(this.#told());
  }

  #step(step) {
    if (!this.#rows.length) return;
    this.#at = Math.min(Math.max(this.#at + step, 0), this.#rows.length - 1);
    this.#paint();
    this.say(this.#told());
  }

  #shift(step) {
    const to = this.#at + step;
    if (this.#at < 0) return this.say("Go to a candidate first, with j.");
    if (to < 0 || to >= this.#rows.length) return this.say("There is no further place.");
    return this.#move(this.#at, to, Math.max(this.#placed, to + 1));
  }

  #tie() {
    const at = this.#at >= 0 ? this.#at : this.#placed - 1;
    if (at < 1) return this.say("Go to a candidate that has one above it.");
    this.#remember();
    this.#rows[at].tied = !this.#rows[at].tied;
    this.#placed = Math.max(this.#placed, at + 1);
    this.#at = at;
    this.#paint();
    this.say(this.#told());
  }

  get does() {
    return {
      next: () => this.#step(1), previous: () => this.#step(-1),
      "place-up": () => this.#shift(-1), "place-down": () => this.#shift(1),
      tie: () => this.#tie(),
    };
  }

  pick() {
    this.say("This project has no labels: give the candidates an order.");
  }

  /** Leave the row that is selected; false when none was. */
  leave() {
    if (this.#at < 0) return false;
    this.#at = -1;
    this.#paint();
    return true;
  }

  // ---- mouse and touch: a row is dragged by its handle, and placed by its button

  #clicked(event) {
    const row = event.target.closest("li");
    if (!row) return;
    const at = [...this.list.children].indexOf(row);
    if (event.target.closest("[data-ties]")) {
      this.#at = at;
      this.#tie();
    } else if (event.target.closest("[data-places]")) this.#place(at);
    // Who pressed it by keys goes on from there; a mouse leaves no focus behind.
    const pressed = "ties" in event.target.dataset ? "[data-ties]" : "[data-places]";
    if (event.detail === 0) this.list.children[this.#at]?.querySelector(pressed).focus();
  }

  #grab(event) {
    const row = event.target.closest("[data-grip]")?.closest("li");
    if (!row || event.button) return;
    event.preventDefault();
    this.list.setPointerCapture(event.pointerId);
    this.#drag = { from: [...this.list.children].indexOf(row), row, y: event.clientY };
    row.classList.add("dragged");
  }

  #dragTo(event) {
    if (!this.#drag) return;
    this.#drag.row.style.transform = `translateY(${event.clientY - this.#drag.y}px)`;
    const to = this.#under(event.clientY);
    [...this.list.children].forEach((row, at) => row.classList.toggle("gap", at === to && at !== this.#drag.from));
  }

  #drop(event) {
    if (!this.#drag) return;
    const { from, row } = this.#drag;
    const to = this.#under(event.clientY);
    this.#drag = null;
    row.classList.remove("dragged");
    row.style.transform = "";
    if (event.type === "pointerup" && to !== from) this.#move(from, to, Math.max(this.#placed, to + 1));
    else this.#paint();
  }

  /** The place of the row at this height, the dragged one left out. */
  #under(y) {
    const others = [...this.list.children].filter((row) => row !== this.#drag.row);
    const above = others.filter((row) => {
      const box = row.getBoundingClientRect();
      return box.top + box.height / 2 < y;
    });
    return above.length;
  }

  // ---- showing

  #placeOf(at) {
    let first = at;
    while (first > 0 && this.#rows[first].tied) first -= 1;
    return first + 1;
  }

  #told() {
    const row = this.#rows[this.#at];
    if (!row) return "";
    const place = this.#at < this.#placed ? `place ${this.#placeOf(this.#at)}` : "no place yet";
    return `${place}${row.tied ? ", equal to the one above" : ""}: ${row.text.slice(0, 200)}`;
  }

  #paint() {
    this.list.replaceChildren(...this.#rows.map((row, at) => this.#drawn(row, at)));
    this.list.children[this.#at]?.scrollIntoView({ block: "nearest" });
    this.onChange();
  }

  #drawn(row, at) {
    const isPlaced = at < this.#placed;
    const isSuggested = !isPlaced && this.#suggested;
    const place = isPlaced || isSuggested ? String(this.#placeOf(at)) : "–";
    const line = document.createElement("li");
    line.className = `candidate${isPlaced ? " placed" : ""}${isSuggested ? " suggested" : ""}${row.tied ? " tied" : ""}${at === this.#at ? " here" : ""}`;
    if (at === this.#at) line.setAttribute("aria-current", "true");
    const grip = Object.assign(document.createElement("span"), { className: "grip", textContent: "⠿" });
    grip.dataset.grip = "";
    grip.setAttribute("aria-hidden", "true");
    const button = Object.assign(document.createElement("button"), { type: "button", className: "act" });
    button.dataset.places = "";
    const number = Object.assign(document.createElement("span"), { className: "place", textContent: place });
    const key = Object.assign(document.createElement("kbd"), { textContent: row.key, hidden: !row.key });
    button.append(number, key);
    const state = isSuggested ? `Suggested for place ${place}: give the next one` : "No place: give the next one";
    button.setAttribute("aria-label", `${isPlaced ? `Place ${place}: take it away` : state}: ${row.text.slice(0, 80)}`);
    const text = Object.assign(document.createElement("div"), { className: "candidate-text", dir: "auto", textContent: row.text });
    const tie = Object.assign(document.createElement("button"), { type: "button", className: "act tie", textContent: "=" });
    tie.dataset.ties = "";
    tie.hidden = !at;
    tie.setAttribute("aria-pressed", String(row.tied));
    tie.setAttribute("aria-label", `Equal to the one above: ${row.text.slice(0, 80)}`);
    line.append(grip, button, text, tie);
    return line;
  }
}
