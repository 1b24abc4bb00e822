// The label page: which item is shown, what a key does to it, and what the page says about it.
// The next items are already here, so a key never waits for the server.

import { Answers, Question } from "./label/answers.js";
import { hintMore, keepHeight, Keys, Panels } from "./label/controls.js";
import { LeaseUuids, newUuid, Outbox, postLeases } from "./label/outbox.js";

/** What takes text, where keys are letters and not commands. */
const FIELDS = "textarea, select, [contenteditable]";
const HELD = 3; // the item on screen and two ahead
const RENEW_SECONDS = 60;
const EMPTY_SECONDS = 10;
const USED_SECONDS = 120;
const HINT_SECONDS = 3;
const SOON_MS = 2_000; // after which a page without items looks again while a file is being read
const BOUNCE_MS = 30; // the same key again within this time is one press of a worn switch
const HISTORY = 50;

const byId = (id) => document.getElementById(id);
const desk = byId("main");
const prefix = `concord.${desk.dataset.project}.${desk.dataset.annotator}`;
const multi = Boolean(desk.dataset.multi);
// Answers that are more than labels are given by a widget of their own, which other pages never load.
const module = desk.dataset.widget ? await import(desk.dataset.widget) : null;
const pairs = desk.dataset.sides ? await import(desk.dataset.sides) : null;

const queue = [...document.querySelectorAll("#stage > .item")];
const history = [];
const elsewhere = new Set(); // items that another tab has answered
let shownAt = 0;
let hiddenMs = 0;
let hiddenSince = 0;
let lastUsed = performance.now();
let lastRenewed = performance.now();
let soonTimer;
let lastAt = 0;
let lastPress = { key: "", at: -Infinity };
let armedNone = false;
let hintTimer = 0;
let rate = { count: 0, since: performance.now() };

const current = () => queue[0];
const suggestionOf = (card) => (card.dataset.blind === undefined ? JSON.parse(card.dataset.suggestion) : []);
/** The labels that hold of an item with a stated coverage, or null where nothing is promised. */
const setOf = (card) => (card?.dataset.set && card.dataset.blind === undefined ? JSON.parse(card.dataset.set) : null);
/** An item's name without the question about it. */
const base = (name) => name.split(".")[0];
const say = (sentence) => (byId("said").textContent = sentence);

function chosenNames(ids) {
  return ids.length ? ids.map((id) => answers.name(id)).join(", ") : "none";
}

/** What an answer said: its labels, yes or no to a question, or what its value amounts to. */
function wordsOf(op) {
  if (op.words !== undefined) return op.words;
  if (op.value !== undefined) return module.wordsOf(JSON.parse(op.value), chosenNames(op.labels));
  if (op.question === undefined) return chosenNames(op.labels);
  return `${op.labels.length ? "" : "not "}${answers.name(op.question)}`;
}

// ---- showing

function show() {
  const card = current();
  const hadFocus = document.activeElement?.closest(".answers");
  byId("nothing").hidden = Boolean(card);
  byId("rows").inert = !card;
  panels.show(card);
  showAnswers(card);
  if (card) {
    card.hidden = false;
    byId("stage").scrollTop = 0;
    keepHeight(card);
  } else tellNothing();
  shownAt = performance.now();
  hiddenMs = 0;
  armedNone = false;
  if (hadFocus && !hadFocus.contains(byId("remark-text"))) byId("stage").focus({ preventScroll: true });
  paintState();
}

/** All labels, or the one that is asked about; a person may want all of them all the same. */
function showAnswers(card) {
  sides?.show(card);
  if (widget) return widget.show(card);
  const said = card?.labels ?? null;
  const label = card?.whole ? null : answers.label(Number(card?.dataset.question));
  question.show(label, said && said.length > 0);
  answers.show(card ? suggestionOf(card) : [], label ? null : said, label ? null : setOf(card));
}

function answerWhole() {
  if (!current() || !question.asked) return;
  current().whole = true;
  current().labels = null;
  showAnswers(current());
  say("Choose all labels of this item.");
}

function tellNothing() {
  clearTimeout(soonTimer);
  if (byId("nothing").hasAttribute("data-soon")) soonTimer = setTimeout(() => current() || renew(), SOON_MS);
  if (!outbox.offline) return;
  byId("nothing").querySelector("[data-nothing-title]").textContent = "No connection";
  byId("nothing").querySelector("[data-nothing-text]").textContent =
    "Your answers are kept here and sent as soon as the server answers; then the next items come.";
}

function announce() {
  const text = current()?.querySelector(".item-text")?.textContent ?? "";
  say(current() ? `Next item. ${widget?.asks ?? question.words} ${text.slice(0, 400)}` : "No more items.");
}

// ---- what a person does

function seconds() {
  const hidden = hiddenMs + (hiddenSince ? performance.now() - hiddenSince : 0);
  return Math.max(0, (performance.now() - shownAt - hidden) / 1000).toFixed(2);
}

function post(op) {
  lastAt = Math.max(Date.now(), lastAt + 1);
  outbox.add({ ...op, at: lastAt });
}

/** Leave the item on screen with an answer or a skip. */
function finish(kind, labels, reason, value) {
  const card = queue.shift();
  const asked = kind === "answer" ? question.asked : null;
  // Answered whole, it is the item itself that was answered, for the server too.
  if (kind === "answer" && !asked && card.dataset.question) {
    card.dataset.item = base(card.dataset.item);
    delete card.dataset.question;
  }
  const op = {
    kind, labels, reason, question: asked?.id, uuid: uuids.of(card.dataset.assignment), item: card.dataset.item, seconds: seconds(),
    assignment: card.dataset.assignment, after: card.after, comment: card.comment || undefined,
    value: value && JSON.stringify(value),
  };
  op.words = kind === "answer" ? wordsOf(op) : "skip"; // the names of two sides go with their item
  card.hidden = true;
  card.remove();
  card.labels = kind === "answer" ? labels : null;
  card.value = value;
  widget?.answered?.(card);
  history.push({ card, op });
  history.splice(0, history.length - HISTORY);
  channel?.postMessage({ item: card.dataset.item });
  if (kind === "answer") countAnswer(1);
  if (!asked) answers.used(labels);
  show();
  if (labels.length) answers.flash(labels);
  hintUndo(op.words);
  post(op);
  announce();
}

function choose(id, event) {
  if (!current()) return;
  // The second half of a double click belongs to the item before.
  if (event?.detail > 1 && performance.now() - shownAt < 350) return;
  if (widget) return widget.pick(id);
  armedNone = false;
  if (multi || !keys.digitAnswers(Boolean(desk.dataset.digitAnswers))) answers.toggle(id);
  else finish("answer", [id]);
}

function accept() {
  if (!current()) return;
  if (widget) return acceptValue();
  if (question.asked) {
    if (question.said === null) say("Answer yes or no, or press a to answer all labels.");
    else sayOfLabel(question.said);
    return;
  }
  const labels = answers.acceptable;
  if (labels?.length || (labels && answers.touched) || (multi && armedNone)) finish("answer", labels ?? []);
  else if (multi) {
    armedNone = true;
    say("Nothing is chosen. Press enter again to answer: none of them.");
    paintState();
  } else say("Choose a label first.");
}

function acceptValue() {
  const value = widget.answer();
  if (!value) return;
  if (value.labels) finish("answer", value.labels, undefined, value.value);
  else finish("answer", [], undefined, value);
}

function sayOfLabel(isThere) {
  if (current() && question.asked) finish("answer", isThere ? [question.asked.id] : []);
}

function skip(reason = "") {
  if (current()) finish("skip", [], reason);
}

function undo() {
  if (current() && widget?.undo()) return;
  const last = history.pop();
  if (!last) return nothingToUndo();
  const uuid = newUuid();
  const { card, op } = last;
  if (current()) current().hidden = true;
  uuids.forget(op.assignment);
  channel?.postMessage({ item: card.dataset.item, back: true });
  card.dataset.assignment = "";
  card.after = uuid;
  card.comment = op.comment;
  queue.unshift(card);
  byId("stage").prepend(card);
  if (op.kind === "answer") countAnswer(-1);
  if (queue.length > HELD) release([queue.pop()]);
  show();
  hintUndo("");
  post({ kind: "retract", uuid, annotation: op.uuid, item: card.dataset.item });
  say(`Taken back: ${wordsOf(op)}.`);
}

/** What was answered before this page opened is changed under My answers. */
function nothingToUndo() {
  byId("state").querySelector("[data-state]").textContent = "nothing to undo here";
  say("There is nothing to take back here. Earlier answers are in the menu, under My answers.");
}

function flag() {
  const card = current();
  if (!card?.dataset.assignment || card.dataset.flagged) return;
  card.dataset.flagged = "1";
  panels.flagged(card);
  post({
    kind: "flag", uuid: newUuid(), item: card.dataset.item,
    assignment: card.dataset.assignment, comment: card.comment || undefined,
  });
  say("Flagged for a reviewer.");
}

function hintUndo(word) {
  const button = document.querySelector("[data-does=undo]");
  button.disabled = !history.length;
  button.classList.toggle("fresh", Boolean(word));
  button.querySelector("[data-undo-word]").textContent = word ? `undo ${word}` : "undo";
  clearTimeout(hintTimer);
  if (word) hintTimer = setTimeout(() => hintUndo(""), HINT_SECONDS * 1000);
}

// ---- what the server says

/** Take cards, numbers and the words for an empty queue out of a piece of HTML. */
function take(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const wasEmpty = !current();
  let named;
  for (const card of page.querySelectorAll(".item")) named = addCard(document.adoptNode(card)) ?? named;
  for (const lost of page.querySelectorAll("[data-lost]")) dropCard(lost.dataset.lost);
  const told = page.getElementById("feedback");
  if (told) byId("feedback").replaceWith(document.adoptNode(told));
  const nothing = page.getElementById("nothing");
  if (nothing) byId("nothing").replaceWith(document.adoptNode(nothing));
  page.querySelectorAll("[data-number]").forEach((number) => {
    const place = document.querySelector(`.numbers [data-number=${number.dataset.number}]`);
    if (place) place.textContent = number.textContent;
    if (place && number.dataset.number === "rate") place.parentElement.hidden = !number.textContent;
  });
  if (wasEmpty) {
    show();
    if (current()) announce();
  } else paintState();
  if (told) say(told.textContent.trim());
  if (told && current()) keepHeight(current());
  return named;
}

/** Where the page does not have every label, a card brings those that it names. */
function learn(card) {
  if (card.dataset.labels) answers.learn(JSON.parse(card.dataset.labels));
}

function addCard(card) {
  learn(card);
  const name = card.dataset.item;
  // One that was just taken back waits for its lease, which may be of the whole item by now.
  const isSame = (each) => each.dataset.item === name
    || (!each.dataset.assignment && base(each.dataset.item) === base(name));
  const here = queue.find(isSame);
  if (here) {
    here.dataset.assignment = card.dataset.assignment;
    return card.dataset.assignment;
  }
  // Answered again before the server had said that it was taken back.
  if (outbox.holds(card.dataset.item)) return card.dataset.assignment;
  if (elsewhere.has(card.dataset.item)) return undefined;
  card.hidden = true;
  byId("stage").insertBefore(card, byId("nothing"));
  queue.push(card);
  const picture = card.querySelector("img");
  if (picture) picture.decode?.().catch(() => undefined); // ready before it is shown
  return card.dataset.assignment;
}

/** A lease that ran out before its item was shown; the item on screen stays. */
function dropCard(assignment) {
  const place = queue.findIndex((card) => card.dataset.assignment === assignment);
  if (place > 0) queue.splice(place, 1)[0].remove();
}

function refused(op, sentence) {
  const notice = document.createElement("div");
  notice.className = "notice danger";
  const text = document.createElement("div");
  const what = op.kind === "answer" ? `Not stored: ${wordsOf(op)}.` : "Not done.";
  const strong = document.createElement("strong");
  strong.textContent = `${what} `;
  text.append(strong, sentence);
  const close = document.createElement("button");
  close.type = "button";
  close.className = "button";
  close.textContent = "Understood";
  close.addEventListener("click", () => notice.remove());
  notice.append(document.createElement("span"), text, close);
  byId("refused").append(notice);
  if (queue.length < HELD) renew();
}

async function renew() {
  lastRenewed = performance.now();
  const html = await postLeases(desk.dataset.renewUrl, held());
  if (html !== undefined) take(html);
}

function release(cards) {
  const leases = cards.map((card) => card.dataset.assignment).filter(Boolean);
  cards.forEach((card) => card.remove());
  if (leases.length) postLeases(desk.dataset.releaseUrl, leases);
}

function held() {
  return queue.map((card) => card.dataset.assignment).filter(Boolean);
}

// ---- what the page says

function countAnswer(by) {
  const place = document.querySelector("[data-number=answers]");
  place.textContent = (Number(place.textContent.replace(/\D/g, "")) + by).toLocaleString("en");
  rate.count += by;
  const minutes = (performance.now() - rate.since) / 60_000;
  if (rate.count < 5 || minutes < 0.2) return;
  const speed = document.querySelector("[data-number=rate]");
  speed.textContent = String(Math.round((rate.count / minutes) * 60));
  speed.parentElement.hidden = false;
}

function stateWords() {
  const kept = `${outbox.answers} ${outbox.answers === 1 ? "answer" : "answers"} kept here`;
  if (outbox.signedOut) return ["refused", `signed out: ${kept}`];
  if (outbox.offline) return ["offline", `offline: ${kept}`];
  if (outbox.count) return ["saving", "saving…"];
  return outbox.hasStored ? ["saved", "saved"] : ["ready", "ready"];
}

function paintState() {
  const [state, words] = stateWords();
  const place = byId("state").querySelector("[data-state]");
  place.dataset.state = state;
  if (place.textContent !== words) place.textContent = words;
  byId("state").querySelector("[data-ahead]").textContent = `${Math.max(0, queue.length - 1)} ahead`;
  if (outbox.signedOut && !byId("signed-out")) askToSignIn();
  const button = document.querySelector("[data-does=accept]");
  if (question.asked) {
    button.disabled = question.said === null;
    button.querySelector("[data-accept-word]").textContent = "accept";
    return;
  }
  if (widget) {
    button.disabled = !current();
    button.querySelector("[data-accept-word]").textContent = current() ? `${widget.verb ?? "answer"}: ${widget.words}` : "answer";
    document.querySelector("[data-does=undo]").disabled = !history.length && !widget.canUndo;
    return;
  }
  const labels = current() ? answers.acceptable : null;
  button.disabled = !current() || (labels === null && !multi);
  const verb = multi ? "submit" : "accept";
  const names = labels?.length || answers.touched ? chosenNames(labels ?? []) : "";
  button.querySelector("[data-accept-word]").textContent = armedNone ? "again: none of them" : `${verb} ${names}`;
}

function askToSignIn() {
  const link = document.createElement("a");
  link.id = "signed-out";
  link.className = "notice warn";
  link.href = location.pathname;
  link.textContent = "You are signed out here. Sign in again: the answers kept here are sent then.";
  byId("refused").append(link);
}

// ---- wiring

const channel = "BroadcastChannel" in window ? new BroadcastChannel(prefix) : null;

const uuids = new LeaseUuids(`${prefix}.uuid`);

const outbox = new Outbox({
  url: desk.dataset.answerUrl,
  prefix: `${prefix}.answer`,
  held,
  onStored: (op, html) => take(html),
  onRefused: refused,
  onState: () => (current() ? paintState() : show()),
});

const labels = JSON.parse(byId("label-data").textContent);

const keys = new Keys({
  own: pairs ? pairs.actionsOf(labels, module?.ACTIONS) : module?.ACTIONS,
  run: (name, key) => {
    lastPress.key = ""; // the same digit after another key is no bounce
    does[name]?.(key);
  },
  digit: (digit, at) => {
    const isBounce = lastPress.key === digit && at - lastPress.at < BOUNCE_MS;
    lastPress = { key: digit, at };
    if (isBounce) return;
    if (question.asked) return question.key(digit);
    if (widget?.digit) return current() && widget.digit(digit);
    const id = answers.atDigit(digit);
    if (id !== null) choose(id);
  },
  isPaused: (event) =>
    Boolean(document.querySelector("dialog[open]")) ||
    Boolean(event.target.closest?.(`input:not([type=checkbox], [type=radio]), ${FIELDS}`)),
});

const answers = new Answers({
  labels, multi, prefix, count: Number(desk.dataset.labelCount), findUrl: desk.dataset.findUrl,
  onChoose: choose, onChange: () => paintState(),
});

const widget = module && new module.Widget({
  answers, say, prefix, onChange: () => paintState(), onAnswer: () => accept(),
  digitAnswers: () => keys.digitAnswers(Boolean(desk.dataset.digitAnswers)),
});

const sides = pairs && new pairs.Sides({ answers, choose, say, back: () => widget?.does.back?.() });

const question = new Question({ onSay: sayOfLabel, onWhole: answerWhole });

const panels = new Panels({
  keys,
  digitAnswers: Boolean(desk.dataset.digitAnswers),
  onSkip: skip,
  onSwipe: widget ? null : (direction) => (direction === "right" ? accept() : skip()),
});

const does = {
  accept, skip: () => skip(), undo, flag,
  "skip-why": () => current() && panels.reasons(),
  search: () => answers.openSearch(),
  next: () => answers.move(1),
  previous: () => answers.move(-1),
  comment: () => panels.comment(),
  guidelines: () => panels.guidelines(),
  why: () => panels.why(),
  zoom: () => panels.zoom(),
  keys: () => panels.keymap(),
  more: () => panels.more(),
  again: () => renew(),
  whole: answerWhole,
  label: (key) => {
    if (question.asked) return question.key(key);
    const label = answers.withKey(key);
    if (label) choose(label.id);
  },
  ...sides?.does,
  ...widget?.does,
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-does]");
  if (button && !button.disabled) {
    if (event.detail > 0) button.blur();
    does[button.dataset.does]();
  }
  if (event.target.closest("[data-zoom]")) panels.zoom();
});
document.addEventListener("keydown", (event) => {
  lastUsed = performance.now();
  const pages = { PageDown: 1, PageUp: -1 }[event.key];
  if (pages) byId("stage").scrollBy({ top: pages * byId("stage").clientHeight * 0.8 });
  if (event.key === "Escape" && !event.defaultPrevented && !document.querySelector("dialog[open]")) {
    document.activeElement?.blur();
    if (!panels.escape()) widget?.leave();
  }
});
byId("stage").addEventListener("scroll", hintMore, { passive: true });
document.addEventListener("pointerdown", () => (lastUsed = performance.now()));
document.addEventListener("visibilitychange", () => {
  if (document.hidden) hiddenSince = performance.now();
  else {
    hiddenMs += hiddenSince ? performance.now() - hiddenSince : 0;
    hiddenSince = 0;
    if (performance.now() - lastRenewed > RENEW_SECONDS * 1000) renew();
  }
});
setInterval(() => {
  const isUsed = performance.now() - lastUsed < USED_SECONDS * 1000;
  if (!document.hidden && isUsed && queue.length) renew();
}, RENEW_SECONDS * 1000);
// An empty page fills by itself when an import or a colleague brings items.
setInterval(() => !document.hidden && !queue.length && renew(), EMPTY_SECONDS * 1000);

// Answered in another tab: this tab's copy of the item is done with.
channel?.addEventListener("message", ({ data }) => {
  if (data.back) {
    elsewhere.delete(data.item);
    return;
  }
  elsewhere.add(data.item);
  const place = queue.findIndex((card) => base(card.dataset.item) === base(data.item));
  if (place < 0) return;
  queue.splice(place, 1)[0].remove();
  if (place === 0) show();
  if (queue.length < HELD) renew();
});

addEventListener("pagehide", () => release([...queue]));
addEventListener("resize", () => current() && keepHeight(current()));
addEventListener("pageshow", (event) => event.persisted && location.reload());

queue.forEach(learn);

// Answered here before the page was opened again, and still on its way to the server.
for (const card of queue.filter((each) => outbox.holds(each.dataset.item))) {
  queue.splice(queue.indexOf(card), 1);
  card.remove();
}
show();
desk.dataset.ready = "";
outbox.flush();
