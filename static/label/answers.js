// The rows under the item: which labels stand where, what is suggested, what is chosen, search.

import { Finder, sentenceOf } from "../finding.js";

const SLOTS = 10;
const SUGGESTED = 5;
const FOUND_AT_MOST = 50; // whoever types on needs no more; a list of thousands would be slow
const DIGITS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "0"];
const TAKEN_AT = 0.5;

const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/** A label with what a search looks at: its own name, its path with it, the words of both. */
function searchable(label) {
  const whole = plain(`${label.path ?? ""} ${label.name}`.trim());
  const words = whole.split(/[\s_/›-]+/).filter(Boolean);
  return { ...label, plain: plain(label.name), whole, words, spoken: words.join(" "), about: plain(label.description) };
}

/**
 * Labels whose name, key or description fits what was typed, best first, `most` at most and one above to
 * tell that there are more. When so many names begin with what was typed,
 * only a name that is just this is still looked for.
 */
export function search(labels, typed, most = Infinity) {
  const wanted = plain(typed.trim());
  const words = wanted.split(/[\s›>]+/).filter(Boolean);
  const phrase = words.join(" ");
  const rank = (label) => {
    if (label.plain === wanted) return 0;
    if (label.plain.startsWith(wanted)) return 1;
    if (label.spoken.includes(phrase)) return 2;
    if (words.every((word) => label.words.some((w) => w.startsWith(word)))) return 3;
    if (words.every((word) => label.whole.includes(word))) return 4;
    return words.every((word) => label.whole.includes(word) || label.about.includes(word)) ? 5 : -1;
  };
  const places = Array.from({ length: 7 }, () => []);
  const longest = words.reduce((a, b) => (b.length > a.length ? b : a), "");
  let isFull = false;
  for (const label of labels) {
    if (isFull) {
      if (label.plain === wanted) places[0].push(label);
      continue;
    }
    const isKey = label.key.length === wanted.length && label.key.toLowerCase() === wanted;
    // Most labels fit in no way: they are passed over at the first look.
    const may = label.spoken.includes(longest) || label.whole.includes(longest) || label.about.includes(longest);
    const place = may ? rank(label) : -1;
    if (place >= 0) places[place].push(label);
    else if (isKey) places[6].push(label);
    isFull = places[1].length > most;
  }
  return places.flat().slice(0, most + 1);
}

/** A line among what was found that is no label. */
function unfit(sentence) {
  const line = document.createElement("li");
  line.className = "none";
  line.setAttribute("role", "option");
  line.setAttribute("aria-disabled", "true");
  line.textContent = sentence;
  return line;
}

/** The rows while one label is asked about: yes, no, or on to all labels. */
export class Question {
  #label = null;
  #said = null;

  /** `onSay(isThere)` runs when the person answers, `onWhole()` when they want all labels. */
  constructor({ onSay, onWhole }) {
    Object.assign(this, { onSay, onWhole });
    this.box = document.getElementById("question");
    this.box?.addEventListener("click", (event) => {
      const row = event.target.closest("[data-says]");
      if (!row || event.detail > 1) return; // the second half of a double click is the next item's
      if (event.detail > 0) row.blur();
      onSay(row.dataset.says === "yes");
    });
  }

  /** The label asked about, or null while the whole answer is. */
  get asked() {
    return this.#label;
  }

  /** What was said before it was taken back: true, false, or null. */
  get said() {
    return this.#said;
  }

  get words() {
    return this.#label ? `Is ${this.#label.name} present?` : "";
  }

  /** Ask about a label, or about none. */
  show(label, said = null) {
    this.#label = this.box && label ? label : null;
    this.#said = said;
    if (!this.box) return;
    this.box.hidden = !this.#label;
    document.querySelector(".answers").classList.toggle("asking", Boolean(this.#label));
    if (!this.#label) return;
    this.box.className = `question hue-${label.hue}`;
    this.box.querySelector("[data-asked]").textContent = label.name;
    const about = this.box.querySelector("[data-asked-about]");
    about.textContent = about.title = label.description;
    for (const row of this.box.querySelectorAll("[data-says]"))
      row.classList.toggle("picked", said !== null && said === (row.dataset.says === "yes"));
  }

  /** Take a key; digits count from the top. */
  key(key) {
    if (key === "y" || key === "1") this.onSay(true);
    else if (key === "n" || key === "2") this.onSay(false);
    else if (key === "a") this.onWhole();
  }
}

export class Answers {
  #labels = [];
  #byId = new Map();
  #slots = [];
  #recent = [];
  #suggestion = new Map();
  #set = null;
  #counts = null;
  #picked = new Set();
  #touched = false;
  #cursor = 0;
  #foundLabels = [];
  #pairs = []; // the labels of two sides, each with its looks where its text is shown in its own place
  #isSwapped = false;
  #finder = null; // where the page has a few of very many labels
  #finding = null; // a search that is under way
  #former = null; // the rows of the item before, where labels change their rows

  /** `labels` are all `count` of them, or a few where `findUrl` finds the others. */
  constructor({ labels, count, findUrl, multi, prefix, onChoose, onChange }) {
    this.#labels = labels.map(searchable);
    this.#byId = new Map(this.#labels.map((label) => [label.id, label]));
    const [firsts, seconds] = ["First", "Second"].map((side) => this.#labels
      .filter((label) => label.side === side)
      .map((label) => ({ label, looks: { key: label.key, hue: label.hue, name: `${side} is better` } })));
    this.#pairs = firsts.map((first, place) => [first, seconds[place]]);
    Object.assign(this, { multi, prefix, onChoose, onChange });
    this.count = count;
    if (findUrl) this.#finder = new Finder(findUrl);
    this.few = count <= SLOTS;
    this.rows = document.getElementById("rows");
    this.found = document.getElementById("found");
    this.input = document.getElementById("find");
    this.#recent = this.#loadRecent();
    this.rows.addEventListener("click", (event) => this.#clicked(event));
    if (this.input) this.#listen();
  }

  /** Labels that a card or a search names, from now on known here. */
  learn(labels) {
    for (const label of labels) if (!this.#byId.has(label.id)) this.#byId.set(label.id, searchable(label));
  }

  label(id) {
    return this.#byId.get(id) ?? null;
  }

  name(id) {
    return this.#byId.get(id)?.name ?? "a label that is gone";
  }

  /**
   * Lay the labels of two sides out as the texts are shown: with "ba" the second label comes first,
   * with the first one's key and colour. They are called by the place of their text on the screen, so
   * that nothing says which one is the item's own first.
   */
  lay(shown) {
    if (!this.#pairs.length) return;
    this.#former = this.#slots;
    this.#isSwapped = shown === "ba";
    for (const pair of this.#pairs) {
      const labels = pair.map((side) => side.label);
      if (this.#isSwapped) labels.reverse();
      labels.forEach((label, place) => Object.assign(label, pair[place].looks));
    }
    this.#labels = this.#inPlace(this.#labels);
  }

  /** The labels of one question, its sides first, as their texts are shown. */
  #inPlace(labels) {
    const sides = labels.filter((label) => label.side).sort((a, b) => a.side.localeCompare(b.side));
    if (this.#isSwapped) sides.reverse();
    return [...sides, ...labels.filter((label) => !label.side)];
  }

  /**
   * Ask one of several questions: only its labels stand in the rows, their keys counted from the first
   * where it has no `keys` of its own.
   */
  ask(ids, { several, keys = [] }) {
    this.#labels = this.#inPlace(ids.map((id) => this.#byId.get(id)));
    this.#labels.forEach((label, place) => Object.assign(label, { key: keys[place] ?? DIGITS[place] ?? "", path: "" }));
    this.multi = several;
    this.count = ids.length;
    this.few = ids.length <= SLOTS;
    const slots = this.#labels.slice(0, SLOTS).map(({ id }) => ({ id, at: 0 }));
    this.#recent = [...slots.splice(SUGGESTED), ...slots]; // the rows show the later half below
  }

  /** The label of the text that is shown first (0) or second (1), or null. */
  atSide(place) {
    return this.#labels[place]?.side ? this.#labels[place].id : null;
  }

  /** The first label of the project, or null. */
  get first() {
    return this.#labels[0]?.id ?? null;
  }

  /** The label with this constant key (letters; digits follow the rows). */
  withKey(key) {
    return this.#labels.find((label) => label.key === key);
  }

  get touched() {
    return this.#touched;
  }

  /** What enter would answer: an array of label ids, or null when there is nothing to accept. */
  get acceptable() {
    if (this.multi) return this.#touched || this.#picked.size ? [...this.#picked] : null;
    if (this.#picked.size) return [...this.#picked];
    const [likeliest] = this.#suggestion.keys();
    return likeliest === undefined ? null : [likeliest];
  }

  /**
   * Set the rows for an item; `suggestion` is [[label id, probability], …], `labels` an earlier answer,
   * `set` the labels that hold with a coverage: {coverage, sure: [id, …], maybe: [id, …]}; `counts`
   * says how often each is in the item, where one may be there several times.
   */
  show(suggestion, labels = null, set = null, counts = null) {
    this.#counts = counts;
    const known = suggestion.filter(([id]) => this.#byId.has(id));
    this.#suggestion = new Map(known.sort((a, b) => b[1] - a[1]));
    this.#set = set && { coverage: set.coverage, ...this.#liveOf(set) };
    const taken = known.filter(([, share]) => share >= TAKEN_AT).map(([id]) => id);
    this.#picked = new Set(labels ?? (this.multi ? taken : []));
    this.#touched = labels !== null;
    this.closeSearch();
    this.#arrange();
    this.#paint();
  }

  /** Few labels: the label whose own digit it is. Many: the row that shows it. */
  atDigit(digit) {
    if (this.few) return this.withKey(digit)?.id ?? null;
    return this.#slots[DIGITS.indexOf(digit)] ?? null;
  }

  toggle(id) {
    this.#touched = true;
    if (!this.multi) this.#picked = new Set([id]);
    else if (!this.#picked.delete(id)) this.#picked.add(id);
    this.#paint();
  }

  flash(ids) {
    this.rows.querySelectorAll(".answer").forEach((row, place) => {
      row.classList.remove("flash");
      if (!ids.includes(this.#former?.[place] ?? Number(row.dataset.label))) return;
      void row.offsetWidth; // restarts the animation
      row.classList.add("flash");
    });
  }

  move(step) {
    const shown = document.querySelector("#question:not([hidden])") ?? this.rows;
    const rows = [...shown.querySelectorAll(".answer:not([data-label=''])")];
    const at = rows.indexOf(document.activeElement);
    const next = at < 0 ? (step > 0 ? 0 : rows.length - 1) : (at + step + rows.length) % rows.length;
    rows[next]?.focus();
  }

  /** Remember that these labels were used; a recent label keeps its row until it is the oldest. */
  used(ids) {
    if (this.few) return;
    const now = Date.now();
    for (const id of ids) {
      const own = this.#recent.find((slot) => slot.id === id);
      const oldest = this.#recent.reduce((a, b) => (b.at < a.at ? b : a));
      Object.assign(own ?? oldest, { id, at: now });
    }
    try {
      localStorage.setItem(`${this.prefix}.recent`, JSON.stringify(this.#recent));
    } catch {
      // remembered for this page only
    }
  }

  openSearch() {
    this.input?.focus();
  }

  closeSearch() {
    if (!this.input) return;
    this.input.value = "";
    this.found.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
    this.input.blur();
  }

  #loadRecent() {
    let kept = [];
    try {
      kept = JSON.parse(localStorage.getItem(`${this.prefix}.recent`) ?? "[]");
    } catch {
      kept = [];
    }
    const slots = kept.filter((slot) => this.#byId.has(slot.id)).slice(0, SLOTS);
    const present = new Set(slots.map((slot) => slot.id));
    for (const label of this.#labels) {
      if (slots.length >= SLOTS) break;
      if (!present.has(label.id)) slots.push({ id: label.id, at: 0 });
    }
    // Until something was used, the rows show the labels in their order: the later half stands below.
    if (!slots.some((slot) => slot.at)) slots.push(...slots.splice(0, SUGGESTED));
    return slots;
  }

  #liveOf({ sure, maybe }) {
    const live = (ids) => ids.filter((id) => this.#byId.has(id));
    return { sure: live(sure), maybe: live(maybe) };
  }

  /**
   * Few labels: fixed for ever. Many: the set, else suggestions first, then recents, each in its own
   * place as long as the set leaves it.
   */
  #arrange() {
    if (this.few) {
      this.#slots = this.#labels.map((label) => label.id);
      return;
    }
    const recent = this.#recent.map((slot) => slot.id);
    const inSet = this.#set ? [...this.#set.sure, ...this.#set.maybe] : [];
    if (inSet.length > SUGGESTED) {
      this.#slots = [...new Set([...inSet, ...recent])].slice(0, SLOTS);
      return;
    }
    const likely = [...new Set([...inSet, ...this.#suggestion.keys()])].slice(0, SUGGESTED);
    const first = likely.length ? likely : recent.slice(SLOTS - SUGGESTED);
    this.#slots = [...first];
    this.#slots.length = SUGGESTED;
    this.#slots.push(...recent.slice(0, SLOTS - SUGGESTED));
  }

  #paint() {
    const [likeliest] = this.#suggestion.keys();
    const rows = this.rows.querySelectorAll(".answer");
    rows.forEach((row, place) => {
      const label = this.#byId.get(this.#slots[place]);
      this.#fill(row, label, this.few ? label?.key : DIGITS[place]);
      if (!label) return;
      const isSuggested = this.multi
        ? !this.#touched && this.#picked.has(label.id)
        : label.id === likeliest && !this.#touched;
      row.classList.toggle("suggested", isSuggested);
      const isPicked = this.#picked.has(label.id) && this.#touched;
      row.classList.toggle("picked", isPicked);
      if (this.multi) row.setAttribute("aria-pressed", String(this.#picked.has(label.id)));
      else row.removeAttribute("aria-pressed");
      this.#mark(row, label.id);
    });
    this.#tellSet();
    this.#listChosen();
    this.onChange();
  }

  #fill(row, label, digit) {
    row.dataset.label = label?.id ?? "";
    if (!label) return;
    row.className = `answer hue-${label.hue}`;
    const share = this.#suggestion.get(label.id);
    row.querySelector("kbd").textContent = digit ?? label.key;
    this.#call(row.querySelector(".name"), label);
    row.querySelector(".about").textContent = label.description;
    row.querySelector(".chance > span").style.width = share === undefined ? "0" : `${share * 100}%`;
    const count = this.#counts?.get(label.id);
    row.querySelector(".percent").textContent = count ? `× ${count}` : share === undefined ? "" : `${Math.round(share * 100)} %`;
    row.title = label.description ? `${label.name}: ${label.description}` : label.name;
    if (digit) row.setAttribute("aria-keyshortcuts", digit);
  }

  /** A label's name, after the branch of the tree that it stands on. */
  #call(place, label) {
    place.textContent = label.name;
    if (!label.path) return;
    const branch = Object.assign(document.createElement("span"), { className: "branch muted", textContent: `${label.path} › ` });
    place.prepend(branch);
  }

  /** Whether the label is in the item's set; with several labels also which are sure, or ruled out. */
  #mark(row, id) {
    const isSure = Boolean(this.#set?.sure.includes(id));
    const isOpen = Boolean(this.#set?.maybe.includes(id));
    const mark = row.querySelector(".mark");
    mark.textContent = "";
    mark.className = "mark";
    row.classList.toggle("in-set", isSure || isOpen);
    if (!this.#set || !(this.multi || isOpen)) return;
    const [word, spoken] = this.multi
      ? isSure ? ["yes", "certain"] : isOpen ? ["?", "undecided"] : ["no", "ruled out"]
      : ["✓", "in the set"];
    mark.textContent = word;
    mark.title = `${spoken}, at ${Math.round(this.#set.coverage * 100)} %`;
    mark.classList.add(isSure ? "sure" : isOpen ? "open" : "out");
  }

  /** What the marks promise. */
  #tellSet() {
    const line = document.getElementById("set-line");
    if (!line) return;
    if (!this.#set) line.textContent = "";
    else {
      const { coverage, sure, maybe } = this.#set;
      const share = `${Math.round(coverage * 100)} %`;
      const out = this.count - sure.length - maybe.length;
      line.textContent = this.multi
        ? `At ${share}: ${sure.length} certain, ${maybe.length} undecided, ${out} ruled out`
        : `✓ ${maybe.length} of ${this.count.toLocaleString("en")} labels hold at ${share}`;
    }
  }

  #listChosen() {
    const line = document.getElementById("chosen");
    if (!line) return;
    const tags = [...this.#picked].map((id) => {
      const tag = document.createElement("span");
      tag.className = `tag hue-${this.#byId.get(id)?.hue ?? 8}`;
      const dot = document.createElement("span");
      dot.className = "dot";
      tag.append(dot, this.name(id));
      return tag;
    });
    const word = this.#touched || !tags.length ? "Chosen:" : "Suggested:";
    line.replaceChildren(word, ...(tags.length ? tags : [" none"]));
  }

  #clicked(event) {
    const row = event.target.closest(".answer");
    if (!row?.dataset.label) return;
    // A mouse leaves no focus behind, so that space goes on skipping.
    if (event.detail > 0) row.blur();
    this.onChoose(Number(row.dataset.label), event);
  }

  #listen() {
    this.input.addEventListener("focus", () => this.#find());
    this.input.addEventListener("input", () => this.#find());
    this.input.addEventListener("blur", () => setTimeout(() => this.#leave(), 150));
    this.input.addEventListener("keydown", (event) => this.#steer(event));
    this.found.addEventListener("pointerdown", (event) => event.preventDefault());
    this.found.addEventListener("click", (event) => {
      const row = event.target.closest(".answer");
      if (row) this.#take(Number(row.dataset.label), event);
    });
  }

  #leave() {
    if (document.activeElement !== this.input) this.closeSearch();
  }

  #find() {
    const typed = this.input.value;
    if (!this.#finder) {
      const every = search(this.#labels, typed, FOUND_AT_MOST);
      return this.#list({ labels: every.slice(0, FOUND_AT_MOST), more: every.length > FOUND_AT_MOST });
    }
    this.#finding = this.#finder.find(typed).then((found) => {
      if (!found) return; // something else has been typed
      this.#finding = null;
      const labels = found.failed // then among those that are known here
        ? search([...this.#byId.values()], typed, FOUND_AT_MOST).slice(0, FOUND_AT_MOST)
        : found.labels.map((label) => ({ ...label, name: label.part }));
      this.learn(labels);
      if (document.activeElement === this.input) this.#list({ ...found, labels });
    });
  }

  #list(result) {
    this.#cursor = 0;
    this.#foundLabels = result.labels;
    const template = document.getElementById("row-template");
    const rows = this.#foundLabels.map((label, place) => {
      const row = template.content.firstElementChild.firstElementChild.cloneNode(true);
      const option = document.createElement("li");
      this.#fill(row, label);
      option.replaceChildren(...row.childNodes);
      option.className = `${row.className}${this.#picked.has(label.id) ? " picked" : ""}`;
      option.dataset.label = label.id;
      option.id = `found-${place}`;
      option.setAttribute("role", "option");
      return option;
    });
    const sentence = sentenceOf(result);
    if (sentence) rows.push(unfit(rows.length ? sentence : `${sentence} Escape goes back.`));
    this.found.replaceChildren(...rows);
    this.found.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.#point();
  }

  #point() {
    [...this.found.children].forEach((row, place) => {
      if (row.className === "none") return;
      row.setAttribute("aria-selected", String(place === this.#cursor));
      if (place === this.#cursor) row.scrollIntoView({ block: "nearest" });
    });
    if (this.#foundLabels.length) this.input.setAttribute("aria-activedescendant", `found-${this.#cursor}`);
    else this.input.removeAttribute("aria-activedescendant");
  }

  async #steer(event) {
    if (event.isComposing || event.keyCode === 229) return; // the key is the input method's
    if (event.key === "Enter" && this.#finding) {
      event.preventDefault();
      await this.#finding;
      // Typed on, the last counts; escaped, none does; answered meanwhile, a second press is no second answer.
      if (this.#finding || document.activeElement !== this.input) return;
    }
    const last = this.#foundLabels.length - 1;
    if (event.key === "Escape") this.closeSearch();
    else if (event.key === "ArrowDown") this.#cursor = Math.min(last, this.#cursor + 1);
    else if (event.key === "ArrowUp") this.#cursor = Math.max(0, this.#cursor - 1);
    else if (event.key === "Enter" && last >= 0) this.#take(this.#foundLabels[this.#cursor].id, event);
    else return;
    event.preventDefault();
    if (event.key.startsWith("Arrow")) this.#point();
  }

  #take(id, event) {
    if (!this.multi) this.closeSearch();
    else {
      this.input.select();
    }
    this.onChoose(id, event);
    if (this.multi) this.#find();
  }
}
