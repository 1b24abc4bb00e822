// Answers that are boxes of a picture: drawn, moved and resized with the mouse, a finger or keys alone.
// What is selected is one of the boxes; a label's key acts on it.

import { BoxSheet, CORNERS } from "./box-sheet.js";

const UNDOABLE = 200;
const ARMED_MS = 400; // so soon after the item came, an empty answer is asked for twice
const STEP = 0.01;
const FINE = 0.002;
const SMALLEST = 0.002;
const FRESH = 0.2; // the side of a box that a key makes
const DRAWN_PX = 5; // what is dragged less is a click
const ROOM_PX = { mouse: 8, pen: 12, touch: 22 }; // how near a pointer takes an edge
const SURE = 0.5;

/** Keys of a page with boxes; what has the name of a usual action takes its place. */
export const ACTIONS = [
  { name: "next", words: "Go to the next box", keys: ["j"], repeats: true },
  { name: "previous", words: "Go to the box before", keys: ["k"], repeats: true },
  { name: "new-box", words: "Make a box in the middle", keys: ["n"] },
  { name: "box-right", words: "Move the box right", keys: ["ArrowRight"], repeats: true },
  { name: "box-left", words: "Move the box left", keys: ["ArrowLeft"], repeats: true },
  { name: "box-down", words: "Move the box down", keys: ["ArrowDown"], repeats: true },
  { name: "box-up", words: "Move the box up", keys: ["ArrowUp"], repeats: true },
  { name: "box-wider", words: "Make the box wider", keys: ["Shift+ArrowRight"], repeats: true },
  { name: "box-narrower", words: "Make the box narrower", keys: ["Shift+ArrowLeft"], repeats: true },
  { name: "box-taller", words: "Make the box taller", keys: ["Shift+ArrowDown"], repeats: true },
  { name: "box-flatter", words: "Make the box flatter", keys: ["Shift+ArrowUp"], repeats: true },
  { name: "fine", words: "Small steps, or large ones again", keys: ["."] },
  { name: "drop", words: "Remove the box", keys: ["Delete"] },
  { name: "zoom-in", words: "Zoom in", keys: ["+"], repeats: true },
  { name: "zoom-out", words: "Zoom out", keys: ["-"], repeats: true },
  { name: "fit", words: "Show the whole picture", keys: ["="] },
];

const byId = (id) => document.getElementById(id);
const byPlace = (a, b) => a.x - b.x || a.y - b.y || a.w - b.w || a.h - b.h || a.label - b.label;
const counted = (count) => (count ? `${count} ${count === 1 ? "box" : "boxes"}` : "nothing marked");
const rounded = (share) => Math.round(share * 1e5) / 1e5;
const percent = (share) => Math.round(share * 100);
const placeOf = ({ x, y, w, h }) => `${percent(x)} % right, ${percent(y)} % down, ${percent(w)} × ${percent(h)} %`;

/** What a stored value said, in a few words. */
export const wordsOf = (value) => counted(value.boxes.length);

/** The box with a side at least as large as can be seen, and within the picture. */
function fitted({ x, y, w, h, ...rest }) {
  const [wide, high] = [Math.min(1, Math.max(SMALLEST, w)), Math.min(1, Math.max(SMALLEST, h))];
  return { ...rest, w: wide, h: high, x: Math.min(1 - wide, Math.max(0, x)), y: Math.min(1 - high, Math.max(0, y)) };
}

/** The box between two corners. */
function between([x1, y1], [x2, y2]) {
  return { x: Math.min(x1, x2), y: Math.min(y1, y2), w: Math.abs(x1 - x2), h: Math.abs(y1 - y2) };
}

export class Widget {
  #sheet = null;
  #boxes = []; // {x, y, w, h, label, share}: share is a number while it is only suggested
  #history = [];
  #selected = null;
  #label = null; // what the next box gets
  #drag = null; // {kind, from, box, before}
  #fingers = new Map(); // pointer id -> [x, y]
  #isFine = false;
  #shownAt = 0;
  #armed = false;

  /** `say(sentence)` speaks to a screen reader, `onChange()` runs when what enter would answer changed. */
  constructor({ answers, say, onChange }) {
    Object.assign(this, { answers, say, onChange });
    this.list = byId("box-list");
    this.now = byId("box-now");
    this.list.addEventListener("click", (event) => this.#listed(event));
    this.list.addEventListener("focusin", (event) => this.#listed(event));
  }

  /** Show a card, with an earlier answer where it was taken back. */
  show(card) {
    this.#selected = null;
    this.#drag = null;
    this.#fingers.clear();
    this.#history = [];
    this.#armed = false;
    this.#shownAt = performance.now();
    this.#sheet = card ? this.#sheetOf(card) : null;
    this.#boxes = card ? this.#boxesOf(card) : [];
    this.#paint();
  }

  #sheetOf(card) {
    const picture = card.querySelector(".picture");
    if (!card.boxSheet && picture) {
      card.boxSheet = new BoxSheet(picture);
      this.#listen(card.boxSheet.frame);
    }
    return card.boxSheet ?? null;
  }

  #boxesOf(card) {
    const shown = card.dataset.blind === undefined ? JSON.parse(card.dataset.suggestion).boxes ?? [] : [];
    const { boxes } = card.value ?? { boxes: shown };
    return boxes
      .filter(({ label }) => this.answers.label(label))
      .map(({ x, y, w, h, label, probability }) => ({ x, y, w, h, label, share: card.value ? undefined : (probability ?? 1) }))
      .sort(byPlace);
  }

  // ---- the answer

  get #standing() {
    return this.#boxes.filter((box) => box.share === undefined || box.share >= SURE);
  }

  get canUndo() {
    return this.#history.length > 0;
  }

  get words() {
    if (this.#armed) return "again: nothing here";
    const suggested = this.#standing.filter((box) => box.share !== undefined).length;
    return `${counted(this.#standing.length)}${suggested ? `, ${suggested} suggested` : ""}`;
  }

  /** The value to answer with, or null while an empty answer came too quickly to be meant. */
  answer() {
    const isQuick = performance.now() - this.#shownAt < ARMED_MS;
    if (!this.#standing.length && !this.#history.length && isQuick && !this.#armed) {
      this.#armed = true;
      this.say("Nothing is marked. Press enter again to answer: nothing here.");
      this.onChange();
      return null;
    }
    const boxes = this.#standing.map(({ x, y, w, h, label }) => ({
      x: rounded(x), y: rounded(y), w: rounded(w), h: rounded(h), label,
    }));
    return { boxes: boxes.sort(byPlace) };
  }

  /** Take the last step within the item back; false when there is none. */
  undo() {
    const before = this.#history.pop();
    if (!before) return false;
    this.#boxes = before;
    this.#selected = null;
    this.#paint();
    this.say(`Step taken back: ${counted(this.#standing.length)}.`);
    return true;
  }

  #keep() {
    this.#history.push(this.#boxes);
    this.#history.splice(0, this.#history.length - UNDOABLE);
    this.#armed = false;
  }

  /** Put another box in the place of one, or beside the others; it is selected then. */
  #set(before, after) {
    this.#boxes = [...this.#boxes.filter((box) => box !== before), after].sort(byPlace);
    this.#selected = after;
  }

  // ---- labels and keys

  /** Give the selected box a label; the next box gets it too. */
  pick(label) {
    this.#label = label;
    this.answers.used([label]);
    if (this.#selected) {
      this.#keep();
      this.#set(this.#selected, { ...this.#selected, label, share: undefined });
    }
    this.#paint();
    this.say(this.#selected ? this.#told() : `The next box is ${this.answers.name(label)}.`);
  }

  get #nextLabel() {
    return this.#label ?? this.answers.first;
  }

  /** Leave what is selected; false when nothing was. */
  leave() {
    if (!this.#selected) return false;
    this.#selected = null;
    this.#paint();
    return true;
  }

  get does() {
    const step = () => (this.#isFine ? FINE : STEP);
    return {
      next: () => this.#cycle(1), previous: () => this.#cycle(-1),
      "new-box": () => this.#make(),
      "box-right": () => this.#nudge(step(), 0, 0, 0), "box-left": () => this.#nudge(-step(), 0, 0, 0),
      "box-down": () => this.#nudge(0, step(), 0, 0), "box-up": () => this.#nudge(0, -step(), 0, 0),
      "box-wider": () => this.#nudge(0, 0, step(), 0), "box-narrower": () => this.#nudge(0, 0, -step(), 0),
      "box-taller": () => this.#nudge(0, 0, 0, step()), "box-flatter": () => this.#nudge(0, 0, 0, -step()),
      fine: () => this.#refine(),
      drop: () => this.#drop(),
      "zoom-in": () => this.#zoom(1.5), "zoom-out": () => this.#zoom(1 / 1.5),
      fit: () => this.#sheet?.zoomTo(1),
      zoom: () => undefined,
    };
  }

  #refine() {
    this.#isFine = !this.#isFine;
    this.say(this.#isFine ? "Small steps." : "Large steps.");
  }

  #zoom(by) {
    if (!this.#sheet) return;
    this.#sheet.zoomTo(this.#sheet.zoom * by);
    if (this.#selected) this.#sheet.reveal(this.#selected);
  }

  #cycle(step) {
    if (!this.#boxes.length) return this.say("Nothing is marked yet. Press n for a box.");
    const at = this.#boxes.indexOf(this.#selected);
    const from = at < 0 && step < 0 ? 0 : at;
    this.#choose(this.#boxes.at((from + step) % this.#boxes.length));
  }

  #choose(box) {
    this.#selected = box ?? null;
    if (box) this.#sheet?.reveal(box);
    this.#paint();
    this.say(this.#told());
  }

  #make() {
    if (!this.#sheet) return;
    const [x, y] = this.#sheet.middle;
    const side = FRESH / this.#sheet.zoom;
    this.#keep();
    this.#set(null, fitted({ x: x - side / 2, y: y - side / 2, w: side, h: side, label: this.#nextLabel }));
    this.#paint();
    this.say(`New box. ${this.#told()}`);
  }

  #nudge(x, y, w, h) {
    const box = this.#selected;
    if (!box) return this.say("Go to a box first, with j, or make one with n.");
    this.#keep();
    const wide = Math.min(box.w + w, 1 - box.x);
    const high = Math.min(box.h + h, 1 - box.y);
    this.#set(box, fitted({ ...box, x: box.x + x, y: box.y + y, w: wide, h: high, share: undefined }));
    this.#sheet?.reveal(this.#selected);
    this.#paint();
    this.say(this.#told());
  }

  #drop() {
    const box = this.#selected;
    if (!box) return this.say("Go to a box first, with j.");
    this.#keep();
    const at = this.#boxes.indexOf(box);
    this.#boxes = this.#boxes.filter((each) => each !== box);
    this.#selected = this.#boxes[Math.min(at, this.#boxes.length - 1)] ?? null;
    this.#paint();
    this.say(`Removed. ${this.#told()}`);
  }

  // ---- pointers

  #listen(frame) {
    frame.addEventListener("pointerdown", (event) => this.#pressed(event));
    frame.addEventListener("pointermove", (event) => this.#moved(event));
    frame.addEventListener("pointerup", (event) => this.#released(event));
    frame.addEventListener("pointercancel", (event) => this.#released(event));
    frame.addEventListener("wheel", (event) => this.#wheeled(event), { passive: false });
  }

  #pressed(event) {
    if (event.button > 1) return;
    event.preventDefault();
    event.currentTarget.setPointerCapture(event.pointerId);
    this.#fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (this.#fingers.size > 1) return this.#pinch();
    const from = this.#sheet.shares(event.clientX, event.clientY);
    if (event.button === 1 || event.altKey) this.#drag = { kind: "pan" };
    else if (event.shiftKey) this.#drag = { kind: "draw" };
    else this.#drag = this.#grip(from, this.#sheet.reach(ROOM_PX[event.pointerType] ?? ROOM_PX.mouse)) ?? { kind: "draw" };
    Object.assign(this.#drag, { from, screen: [event.clientX, event.clientY], before: this.#boxes, began: false });
  }

  /** A second finger zooms; what the first one had begun is as if it had not been. */
  #pinch() {
    if (this.#drag?.began) this.#boxes = this.#history.pop();
    const spread = this.#spread();
    this.#drag = { kind: "pinch", spread: spread.wide, zoom: this.#sheet.zoom, last: spread.middle };
    this.#selected = null;
    this.#paint();
  }

  #spread() {
    const [[x1, y1], [x2, y2]] = [...this.#fingers.values()];
    return { wide: Math.max(1, Math.hypot(x1 - x2, y1 - y2)), middle: [(x1 + x2) / 2, (y1 + y2) / 2] };
  }

  /** What a pointer takes: an edge of the selected box, that box, or the smallest one under it. */
  #grip([x, y], [nearX, nearY]) {
    const box = this.#selected;
    if (box) {
      const edge = CORNERS.find((corner) => {
        const across = corner.includes("w") ? box.x : corner.includes("e") ? box.x + box.w : box.x + box.w / 2;
        const down = corner.includes("n") ? box.y : corner.includes("s") ? box.y + box.h : box.y + box.h / 2;
        return Math.abs(x - across) <= nearX && Math.abs(y - down) <= nearY;
      });
      if (edge) return { kind: "resize", edge, box };
    }
    const under = this.#boxes
      .filter((each) => x >= each.x && x <= each.x + each.w && y >= each.y && y <= each.y + each.h)
      .sort((a, b) => a.w * a.h - b.w * b.h);
    const taken = under.includes(box) ? box : under[0];
    return taken ? { kind: "move", box: taken, under } : null;
  }

  #moved(event) {
    const drag = this.#drag;
    if (!drag || !this.#fingers.has(event.pointerId)) return;
    const last = this.#fingers.get(event.pointerId);
    this.#fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (drag.kind === "pan") return this.#sheet.pan(event.clientX - last[0], event.clientY - last[1]);
    if (drag.kind === "pinch") {
      if (this.#fingers.size < 2) return;
      const { wide, middle } = this.#spread();
      this.#sheet.pan(middle[0] - drag.last[0], middle[1] - drag.last[1]);
      drag.last = middle;
      return this.#sheet.zoomTo((drag.zoom * wide) / drag.spread, ...middle);
    }
    const gone = Math.hypot(event.clientX - drag.screen[0], event.clientY - drag.screen[1]);
    if (!drag.began && gone < DRAWN_PX) return;
    if (!drag.began) {
      this.#keep();
      drag.began = true;
    }
    const after = this.#dragged(drag, this.#sheet.shares(event.clientX, event.clientY));
    this.#boxes = drag.before;
    this.#set(drag.box ?? null, after);
    this.#draw();
  }

  #dragged({ kind, edge, from, box }, to) {
    if (kind === "draw") return fitted({ ...between(from, to), label: this.#nextLabel });
    if (kind === "move") return fitted({ ...box, x: box.x + to[0] - from[0], y: box.y + to[1] - from[1], share: undefined });
    const [left, top, right, bottom] = [box.x, box.y, box.x + box.w, box.y + box.h];
    const first = [edge.includes("w") ? to[0] : left, edge.includes("n") ? to[1] : top];
    const second = [edge.includes("e") ? to[0] : right, edge.includes("s") ? to[1] : bottom];
    return fitted({ ...box, ...between(first, second), share: undefined });
  }

  #released(event) {
    if (!this.#fingers.delete(event.pointerId)) return;
    const drag = this.#drag;
    if (this.#fingers.size || !drag) return;
    this.#drag = null;
    if (drag.kind === "pan" || drag.kind === "pinch") return;
    if (!drag.began) this.#clicked(drag);
    this.#paint();
    this.say(this.#told());
  }

  /** A click goes to the smallest box under it, a further one to the next larger. */
  #clicked({ kind, under = [] }) {
    if (kind === "resize") return;
    const last = under.indexOf(this.#selected);
    this.#selected = under[(last + 1) % (under.length || 1)] ?? null;
  }

  #wheeled(event) {
    event.preventDefault();
    if (event.shiftKey) return this.#sheet.pan(-event.deltaY - event.deltaX, 0);
    this.#sheet.zoomTo(this.#sheet.zoom * 1.002 ** -event.deltaY, event.clientX, event.clientY);
  }

  #listed(event) {
    const button = event.target.closest("button");
    const box = button && this.#boxes[Number(button.dataset.at)];
    if (!box || box === this.#selected) return;
    this.#selected = box;
    this.#sheet?.reveal(box);
    this.#draw();
    this.#tell();
    this.list.querySelectorAll("button").forEach((each) => each.setAttribute("aria-pressed", String(each === button)));
  }

  // ---- what the page shows

  #draw() {
    const looks = this.#boxes.map((box) => ({
      ...box,
      hue: this.answers.label(box.label)?.hue ?? 8,
      name: this.answers.name(box.label),
      kind: box.share === undefined ? "own" : box.share >= SURE ? "suggested" : "unsure",
    }));
    this.#sheet?.draw(looks, looks[this.#boxes.indexOf(this.#selected)] ?? null);
  }

  #paint() {
    this.#draw();
    this.#drawList();
    this.#tell();
    const counts = new Map();
    for (const { label } of this.#standing) counts.set(label, (counts.get(label) ?? 0) + 1);
    const picked = this.#selected?.label ?? this.#label;
    this.answers.show([], picked === null ? null : [picked], null, counts);
    this.onChange();
  }

  #told() {
    const box = this.#selected;
    if (!box) return "Nothing is selected.";
    return `${this.answers.name(box.label)}: ${placeOf(box)}${box.share === undefined ? "" : ", suggested"}.`;
  }

  #tell() {
    this.now.textContent = this.#selected ? this.#told() : "";
    document.querySelector(".span-tools [data-does=drop]").disabled = !this.#selected;
  }

  #drawList() {
    const had = this.list.contains(document.activeElement);
    const rows = this.#boxes.map((box, at) => {
      const row = document.createElement("li");
      const button = document.createElement("button");
      const dot = document.createElement("span");
      const name = document.createElement("span");
      const place = document.createElement("span");
      button.type = "button";
      button.dataset.at = at;
      button.className = `span-row hue-${this.answers.label(box.label)?.hue ?? 8} ${box.share === undefined ? "own" : "suggested"}`;
      button.setAttribute("aria-pressed", String(box === this.#selected));
      dot.className = "dot";
      name.textContent = this.answers.name(box.label);
      place.className = "muted";
      place.textContent = placeOf(box);
      button.append(dot, name, place);
      row.append(button);
      return row;
    });
    this.list.replaceChildren(...rows);
    if (had) rows[this.#boxes.indexOf(this.#selected)]?.querySelector("button").focus({ preventScroll: true });
    byId("box-none").hidden = rows.length > 0;
  }
}
