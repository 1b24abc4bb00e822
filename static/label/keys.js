// Which key does what: positions for digits, letters for the rest, changeable per person.

export const ACTIONS = [
  { name: "accept", words: "Accept what is chosen or suggested", keys: ["Enter", "Ctrl+Enter"] },
  { name: "skip", words: "Skip", keys: ["Space"] },
  { name: "skip-why", words: "Skip with a reason", keys: ["Shift+Space"] },
  { name: "undo", words: "Take the last answer back", keys: ["Backspace", "Ctrl+z"] },
  { name: "search", words: "Search labels", keys: ["/"] },
  { name: "next", words: "Move to the next answer", keys: ["j", "ArrowDown"] },
  { name: "previous", words: "Move to the answer before", keys: ["k", "ArrowUp"] },
  { name: "flag", words: "Flag for a reviewer", keys: ["f"] },
  { name: "comment", words: "Comment", keys: ["c"] },
  { name: "guidelines", words: "Guidelines", keys: ["h"] },
  { name: "why", words: "Why this item", keys: ["w"] },
  { name: "zoom", words: "Zoom the image", keys: ["+"] },
  { name: "keys", words: "This list", keys: ["?"] },
];

const STORED = "concord.keys";
const SYMBOLS = {
  Enter: "⏎", Space: "␣", Backspace: "⌫", ArrowDown: "↓", ArrowUp: "↑", Shift: "⇧", Ctrl: "ctrl",
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

  constructor({ run, digit, isPaused }) {
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

  keysOf(action) {
    const own = this.#settings.changed[action.name];
    return own ? [own] : action.keys;
  }

  /** The action that already has this chord, or undefined. */
  taken(chord) {
    if (/^[0-9]$/.test(chord)) return { name: "digit", words: "Labels" };
    return ACTIONS.find((action) => this.keysOf(action).includes(chord));
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
    for (const action of ACTIONS)
      for (const chord of this.keysOf(action)) this.chords.set(chord, action.name);
    document.querySelectorAll("[data-key]").forEach((shown) => {
      const action = ACTIONS.find((each) => each.name === shown.dataset.key);
      shown.textContent = written(this.keysOf(action)[0]);
    });
  }

  #pressed(event) {
    if (event.defaultPrevented || event.isComposing || this.isPaused(event)) return;
    const chord = chordOf(event);
    // The list of keys can always be opened, or there would be no way to switch keys on again.
    if (this.#settings.off && this.chords.get(chord) !== "keys") return;
    const onControl = event.target.closest?.("button, a[href], summary, [role=option]");
    if (onControl && (chord === "Enter" || chord === "Space")) return;
    if (/^[0-9]$/.test(chord)) {
      event.preventDefault();
      if (!event.repeat) this.digit(chord);
      return;
    }
    const action = this.chords.get(chord);
    if (action) {
      event.preventDefault();
      if (!event.repeat || action === "next" || action === "previous") this.run(action);
    } else if (!event.repeat) this.run("label", ownKey(event, chord));
  }
}
