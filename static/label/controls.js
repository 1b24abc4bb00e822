// Keys, and what lies around the item: guidelines, why, comment, zoom, the list of keys, skip
// reasons, swipes. In one file because the page is to load in ten requests.

export const ACTIONS = [
  { name: "accept", words: "Accept what is chosen or suggested", keys: ["Enter", "Ctrl+Enter"] },
  { name: "skip", words: "Skip", keys: ["Space"] },
  { name: "skip-why", words: "Skip with a reason", keys: ["Shift+Space"] },
  { name: "undo", words: "Take the last answer back", keys: ["Backspace", "Ctrl+z"] },
  { name: "search", words: "Search labels", keys: ["/"] },
  { name: "next", words: "Move to the next answer", keys: ["j", "ArrowDown"], repeats: true },
  { name: "previous", words: "Move to the answer before", keys: ["k", "ArrowUp"], repeats: true },
  { name: "flag", words: "Flag for a reviewer", keys: ["f"] },
  { name: "comment", words: "Comment", keys: ["c"] },
  { name: "guidelines", words: "Guidelines", keys: ["h"] },
  { name: "why", words: "Why this item", keys: ["w"] },
  { name: "zoom", words: "Zoom the image", keys: ["+"] },
  { name: "keys", words: "This list", keys: ["?"] },
];

const STORED = `concord.keys.${document.getElementById("main").dataset.person}`;
const SWIPE_PX = 90;
const byId = (id) => document.getElementById(id);
const SYMBOLS = {
  Enter: "⏎", Space: "␣", Backspace: "⌫", ArrowDown: "↓", ArrowUp: "↑", ArrowLeft: "←", ArrowRight: "→",
  Shift: "⇧", Ctrl: "ctrl", Alt: "alt", Delete: "del",
};

/** How a chord is written on a button: "Shift+Space" is "⇧ ␣". */
export function written(chord) {
  const parts = chord.endsWith("+") ? [...chord.split("+").filter(Boolean), "+"] : chord.split("+");
  return parts.map((part) => SYMBOLS[part] ?? part).join(" ");
}

/** The chord of a key event: digits by position, letters by what they write, else by position. */
export function chordOf(event) {
  const digit = /^(?:Digit|Numpad)([0-9])$/.exec(event.code);
  const held = event.ctrlKey || event.metaKey || event.altKey;
  if (digit && !held && (!event.shiftKey || event.code.startsWith("Numpad"))) return digit[1];
  let key = event.key === " " ? "Space" : event.key;
  const letter = /^Key([A-Z])$/.exec(event.code);
  if (letter && key.length === 1 && !/^[a-z]$/i.test(key)) key = letter[1];
  if (key.length === 1) key = key.toLowerCase();
  if (event.altKey) return `Alt+${key}`;
  if (event.ctrlKey || event.metaKey) return `Ctrl+${key}`;
  const shifted = event.shiftKey && (key.length > 1 || /^[a-z]$/.test(key));
  return shifted ? `Shift+${key}` : key;
}

/** How a label's own key is named: a letter, or a digit with shift where plain digits follow rows. */
function ownKey(event, chord) {
  const digit = /^Digit([0-9])$/.exec(event.code);
  const isShifted = event.shiftKey && !event.ctrlKey && !event.metaKey && !event.altKey;
  return digit && isShifted ? `⇧${digit[1]}` : chord;
}

function load() {
  try {
    const kept = JSON.parse(localStorage.getItem(STORED) ?? "{}");
    return { off: kept.off === true, changed: kept.changed ?? {}, digitAnswers: kept.digitAnswers };
  } catch {
    return { off: false, changed: {}, digitAnswers: undefined };
  }
}

export class Keys {
  #settings = load();

  /** `own` are the actions of the page's widget; the key of one goes to it before a usual action. */
  constructor({ run, digit, isPaused, own = [] }) {
    const names = new Set(own.map((action) => action.name));
    const chords = new Set(own.flatMap((action) => action.keys));
    const lost = (each) => !this.#settings.changed[each.name] && each.keys.every((key) => chords.has(key));
    this.actions = [...ACTIONS.filter((each) => !names.has(each.name) && !lost(each)), ...own];
    this.run = run;
    this.digit = digit;
    this.isPaused = isPaused;
    this.#index();
    document.addEventListener("keydown", (event) => this.#pressed(event));
  }

  get off() {
    return this.#settings.off;
  }

  digitAnswers(usual) {
    return this.#settings.digitAnswers ?? usual;
  }

  set(changes) {
    Object.assign(this.#settings, changes);
    this.#save();
  }

  change(name, chord) {
    this.#settings.changed = { ...this.#settings.changed, [name]: chord };
    this.#save();
  }

  reset() {
    this.#settings = { off: false, changed: {}, digitAnswers: undefined };
    this.#save();
  }

  /** The key that a person chose, else the usual ones that no other action of the page was given. */
  keysOf({ name, keys }) {
    const { changed } = this.#settings;
    if (changed[name]) return [changed[name]];
    return keys.filter((key) => !this.actions.some((each) => changed[each.name] === key));
  }

  /** The action that already has this chord, or undefined. */
  taken(chord) {
    if (/^[0-9]$/.test(chord)) return { name: "digit", words: "Labels" };
    return this.actions.find((action) => this.keysOf(action).includes(chord));
  }

  #save() {
    this.#index();
    try {
      localStorage.setItem(STORED, JSON.stringify(this.#settings));
    } catch {
      // kept for this page only
    }
  }

  #index() {
    this.chords = new Map();
    for (const action of this.actions)
      for (const chord of this.keysOf(action)) this.chords.set(chord, action);
    document.querySelectorAll("[data-key]").forEach((shown) => {
      const action = this.actions.find((each) => each.name === shown.dataset.key);
      const keys = action && this.keysOf(action);
      if (keys) [shown.hidden, shown.textContent] = [!keys.length, written(keys[0] ?? "")];
    });
  }

  #pressed(event) {
    if (event.defaultPrevented || event.isComposing || this.isPaused(event)) return;
    const chord = chordOf(event);
    // The list of keys can always be opened, or there would be no way to switch keys on again.
    if (this.#settings.off && this.chords.get(chord)?.name !== "keys") return;
    const onControl = event.target.closest?.("button, a[href], summary, [role=option]");
    if (onControl && (chord === "Enter" || chord === "Space")) return;
    if (/^[0-9]$/.test(chord)) {
      event.preventDefault();
      // When it was pressed: a page that is busy hears of it later, and of a bounce later still.
      if (!event.repeat) this.digit(chord, event.timeStamp);
      return;
    }
    const action = this.chords.get(chord);
    if (action) {
      event.preventDefault();
      if (!event.repeat || action.repeats) this.run(action.name);
    } else if (!event.repeat) this.run("label", ownKey(event, chord));
  }
}

export class Panels {
  #card = null;

  constructor({ keys, digitAnswers, onSkip, onSwipe }) {
    Object.assign(this, { keys, digitAnswers, onSkip, onSwipe });
    this.remark = byId("remark-text");
    this.remark.addEventListener("input", () => {
      if (this.#card) this.#card.comment = this.remark.value;
    });
    this.remark.addEventListener("keydown", (event) => {
      const isDone = event.key === "Escape" || (event.key === "Enter" && !event.shiftKey);
      if (!isDone) return;
      event.preventDefault();
      event.stopPropagation();
      this.remark.blur();
      if (!this.remark.value) this.#open("remark", "comment", false);
    });
    byId("reasons").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.#skip(button.value);
    });
    byId("skip-reasons").addEventListener("keydown", (event) => {
      const button = byId("reasons").querySelectorAll("button")[Number(chordOf(event)) - 1];
      if (button) this.#skip(button.value);
    });
    byId("more").addEventListener("click", (event) => {
      if (event.target.closest("[data-does]")) byId("more").close();
    });
    this.#listenKeymap();
    if (onSwipe) this.#listenSwipes();
  }

  /** Follow a new item: its reason, its comment, its zoom. */
  show(card) {
    this.#card = card;
    byId("why").textContent = card?.dataset.why ?? "";
    this.remark.value = card?.comment ?? "";
    this.#open("remark", "comment", Boolean(card?.comment));
    this.flagged(card);
    const picture = card?.querySelector(".picture img");
    if (!picture) return;
    const judge = () =>
      picture.parentElement.classList.toggle("tiny", picture.naturalWidth > 0 && picture.naturalWidth <= 96);
    picture.complete ? judge() : picture.addEventListener("load", judge, { once: true });
  }

  flagged(card) {
    const isFlagged = Boolean(card?.dataset.flagged);
    document.querySelectorAll(".aid[data-does=flag]").forEach((button) => {
      button.setAttribute("aria-pressed", String(isFlagged));
      button.querySelector("[data-flag-word]").textContent = isFlagged ? "flagged" : "flag";
    });
  }

  guidelines() {
    const open = this.#open("guidelines", "guidelines", byId("guidelines").hidden);
    document.body.classList.toggle("guided", open);
  }

  why() {
    this.#open("why", "why", byId("why").hidden);
  }

  comment() {
    this.#open("remark", "comment", true);
    this.remark.focus();
  }

  zoom() {
    this.#card?.querySelector(".picture")?.classList.toggle("zoomed");
  }

  keymap() {
    byId("keys-on").checked = !this.keys.off;
    byId("keys").showModal();
  }

  more() {
    byId("more").showModal();
  }

  reasons() {
    byId("skip-reasons").showModal();
  }

  /** Close whatever is open beside the item; true when something was. */
  escape() {
    if (byId("guidelines").hidden && byId("why").hidden) return false;
    if (!byId("guidelines").hidden) this.guidelines();
    if (!byId("why").hidden) this.why();
    return true;
  }

  #skip(reason) {
    byId("skip-reasons").close();
    this.onSkip(reason);
  }

  #open(id, action, open) {
    byId(id).hidden = !open;
    document
      .querySelectorAll(`[data-does=${action}][aria-expanded]`)
      .forEach((button) => button.setAttribute("aria-expanded", String(open)));
    return open;
  }

  #listenKeymap() {
    const table = byId("keymap");
    this.#drawKeymap();
    table.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button || !byId("keys").open) return; // open: see keys-on below
      button.textContent = "press a key";
      button.classList.add("waiting");
      const heard = (pressed) => {
        if (["Shift", "Control", "Alt", "Meta"].includes(pressed.key)) return;
        pressed.preventDefault();
        pressed.stopPropagation();
        button.removeEventListener("keydown", heard);
        this.#changed(button.dataset.action, chordOf(pressed));
      };
      button.addEventListener("keydown", heard);
      button.addEventListener("blur", () => this.#drawKeymap(), { once: true });
    });
    byId("keys-on").checked = !this.keys.off;
    byId("keys-on").addEventListener("change", (event) => {
      // For a moment after the list closed, space still reaches the control it was left on.
      if (byId("keys").open) this.keys.set({ off: !event.target.checked });
    });
    const digits = byId("digit-answers");
    if (digits) digits.checked = this.keys.digitAnswers(this.digitAnswers);
    digits?.addEventListener("change", () => this.keys.set({ digitAnswers: digits.checked }));
    byId("keys-reset").addEventListener("click", () => {
      this.keys.reset();
      byId("keys-on").checked = true;
      if (digits) digits.checked = this.digitAnswers;
      this.#drawKeymap();
      byId("keys-note").textContent = "All keys are as usual.";
    });
  }

  #changed(name, chord) {
    const note = byId("keys-note");
    const owner = this.keys.taken(chord);
    if (chord === "Escape" || chord === "Tab") note.textContent = "Unchanged.";
    else if (owner && owner.name !== name)
      note.textContent = `${written(chord)} already does “${owner.words}”.`;
    else {
      this.keys.change(name, chord);
      note.textContent = "Changed.";
    }
    this.#drawKeymap();
    byId("keymap").querySelector(`[data-action="${name}"]`).focus();
  }

  #drawKeymap() {
    const rows = this.keys.actions.map((action) => {
      const row = document.createElement("tr");
      const words = document.createElement("td");
      words.textContent = action.words;
      const cell = document.createElement("td");
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.action = action.name;
      button.textContent = this.keys.keysOf(action).map(written).join("  or  ") || "no key";
      button.setAttribute("aria-label", `${action.words}: ${button.textContent}. Change.`);
      cell.append(button);
      row.append(words, cell);
      return row;
    });
    const digits = document.createElement("tr");
    const words = document.createElement("td");
    words.textContent = "Pick the answer at this place";
    const cell = document.createElement("td");
    cell.textContent = "1 … 9, 0";
    digits.append(words, cell);
    byId("keymap").replaceChildren(digits, ...(byId("question") ? this.#questionKeys() : []), ...rows);
  }

  /** Keys of a question about one label; they are as fixed as the digits. */
  #questionKeys() {
    const keys = [["Asked about one label: yes", "1  or  y"], ["Asked about one label: no", "2  or  n"],
      ["Asked about one label: answer all of them", "a"]];
    return keys.map((texts) => {
      const row = document.createElement("tr");
      row.append(...texts.map((text) => Object.assign(document.createElement("td"), { textContent: text })));
      return row;
    });
  }

  /** Touch: right accepts, left skips; the item follows the finger. */
  #listenSwipes() {
    const stage = byId("stage");
    let start = null;
    const distance = (event) => (start ? event.clientX - start.x : 0);
    stage.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "touch" && this.#card && !event.target.closest(".zoomed"))
        start = { x: event.clientX, y: event.clientY };
    });
    stage.addEventListener("pointermove", (event) => {
      if (!start) return;
      if (Math.abs(event.clientY - start.y) > Math.abs(distance(event))) return;
      this.#card.classList.add("swiping");
      this.#card.style.transform = `translateX(${distance(event)}px)`;
      this.#card.style.opacity = String(1 - Math.min(0.6, Math.abs(distance(event)) / 400));
    });
    const end = (event) => {
      if (!start) return;
      const moved = event.type === "pointerup" ? distance(event) : 0;
      const card = this.#card;
      start = null;
      card.style.transform = card.style.opacity = "";
      if (Math.abs(moved) >= SWIPE_PX) this.onSwipe(moved > 0 ? "right" : "left");
    };
    stage.addEventListener("pointerup", end);
    stage.addEventListener("pointercancel", end);
  }
}

/** The place of the answers may sink with a longer item, and never rises again: nothing jumps. */
export function keepHeight(card) {
  const gaps = parseFloat(getComputedStyle(card).rowGap) || 0;
  const padding = parseFloat(getComputedStyle(card).paddingBottom) || 0;
  const parts = [...card.children].filter((part) => part.offsetHeight);
  const height = parts.reduce((sum, part) => sum + part.offsetHeight + gaps, padding - gaps);
  const before = parseFloat(byId("main").style.getPropertyValue("--reading")) || 144;
  const room = mostHeight();
  byId("main").style.setProperty("--most", `${room}px`);
  byId("main").style.setProperty("--reading", `${Math.min(room, Math.max(before, height))}px`);
  hintMore();
}

/** A fade at the lower edge says that the item goes on. */
export function hintMore() {
  const stage = byId("stage");
  stage.classList.toggle("more", stage.scrollHeight - stage.scrollTop - stage.clientHeight > 8);
}

/** As much as leaves every answer and the actions on the screen, and never less than four lines. */
function mostHeight() {
  const desk = byId("main");
  const style = getComputedStyle(desk);
  const around = parseFloat(style.paddingTop) + parseFloat(style.paddingBottom);
  const below = byId("rows").closest(".answers").offsetHeight + document.querySelector(".bar").offsetHeight;
  return Math.max(136, Math.min(innerHeight * 0.46, desk.clientHeight - around - below - 16));
}
