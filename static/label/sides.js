// Two texts side by side: what differs between them, and the answers that belong to one of them.

const DIFFERENCES = { name: "differences", words: "Show what differs between the texts", keys: ["d"] };
const SIDED = [
  { name: "first", words: "The first text is better", keys: ["ArrowLeft"] },
  { name: "second", words: "The second text is better", keys: ["ArrowRight"] },
];
// A comparison takes time by the product of both lengths.
const MOST_WORDS = 2_000;

/** What keys do here besides the usual and `others`: where labels have sides, the arrows answer. */
export function actionsOf(labels, others = []) {
  if (!labels.some((label) => label.side)) return [...others, DIFFERENCES];
  const [first, second] = SIDED;
  const back = others.find((action) => action.keys.includes(first.keys[0]));
  const either = back && { ...first, words: `${first.words}, or ${back.words[0].toLowerCase()}${back.words.slice(1)}` };
  return [...others.filter((action) => action !== back), either ?? first, second, DIFFERENCES];
}

/** A text in words and what stands between them: [{text, start, isWord}, …]. */
export function pieces(text) {
  return [...text.matchAll(/[\p{L}\p{M}\p{N}]+|\s+|[^\p{L}\p{M}\p{N}\s]/gu)].map((found) => ({
    text: found[0], start: found.index, isWord: !/^\s/.test(found[0]),
  }));
}

/** For each word whether the other text has it at a fitting place: the longest common subsequence. */
export function common(one, other) {
  const width = other.length + 1;
  const longest = new Uint16Array((one.length + 1) * width); // of what is left from (i, j) on
  for (let i = one.length - 1; i >= 0; i--)
    for (let j = other.length - 1; j >= 0; j--)
      longest[i * width + j] = one[i] === other[j]
        ? longest[(i + 1) * width + j + 1] + 1
        : Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
  const inOne = new Array(one.length).fill(false);
  const inOther = new Array(other.length).fill(false);
  for (let i = 0, j = 0; i < one.length && j < other.length; ) {
    if (one[i] === other[j]) inOne[i++] = inOther[j++] = true;
    else if (longest[(i + 1) * width + j] >= longest[i * width + j + 1]) i++;
    else j++;
  }
  return [inOne, inOther];
}

/** The places [start, end) of each text that the other does not have; null where they are too long. */
export function differences(one, other) {
  const both = [one, other].map((text) => pieces(text).filter((piece) => piece.isWord));
  if (both.some((words) => words.length > MOST_WORDS)) return null;
  const found = common(...both.map((words) => words.map((word) => word.text)));
  return both.map((words, side) => joined(words.filter((_, place) => !found[side][place]), side ? other : one));
}

/** Neighbours with nothing but space between them become one place. */
function joined(words, text) {
  const places = [];
  for (const { start, text: word } of words) {
    const last = places.at(-1);
    if (last && !text.slice(last[1], start).trim()) last[1] = start + word.length;
    else places.push([start, start + word.length]);
  }
  return places;
}

/** Wrap places of an element's text in marks; only text nodes are parted, so nothing is ever read as HTML. */
function mark(element, places) {
  const nodes = [];
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  for (let at = 0; walker.nextNode(); at += walker.currentNode.length) nodes.push([walker.currentNode, at]);
  for (const [node, at] of nodes)
    for (const [start, end] of [...places].reverse()) {
      const from = Math.max(start - at, 0);
      const to = Math.min(end - at, node.length);
      if (from >= to) continue;
      const part = node.splitText(from);
      part.splitText(to - from);
      const wrap = document.createElement("mark");
      wrap.className = "differs";
      part.replaceWith(wrap);
      wrap.append(part);
    }
}

export class Sides {
  #isOn = false;

  /** `choose(id)` answers with a label, `say(sentence)` tells those who listen; `back()` goes on from what has no sides. */
  constructor({ answers, choose, say, back }) {
    Object.assign(this, { answers, say });
    this.button = document.querySelector("[data-does=differences]");
    const take = (place) => {
      const id = answers.atSide(place);
      if (id !== null) choose(id);
      else if (place === 0) back();
    };
    this.does = { differences: () => this.toggle(), first: () => take(0), second: () => take(1) };
  }

  /** Lay the answers out as the item's texts are shown, and mark what differs where that is wanted. */
  show(card) {
    this.card = card;
    if (!card) return;
    this.answers.lay(card.dataset.shown);
    this.#paint();
  }

  toggle() {
    this.#isOn = !this.#isOn;
    this.button?.setAttribute("aria-pressed", String(this.#isOn));
    const told = this.#paint();
    if (told) this.say(told);
  }

  #paint() {
    const texts = [...(this.card?.querySelectorAll(".pair .item-text") ?? [])];
    if (texts.length < 2) return "";
    for (const text of texts) {
      text.querySelectorAll("mark.differs").forEach((each) => each.replaceWith(...each.childNodes));
      text.normalize();
    }
    if (!this.#isOn) return "Differences are no longer marked.";
    const found = differences(...texts.map((text) => text.textContent));
    if (!found) return `Texts of more than ${MOST_WORDS.toLocaleString("en")} words are not compared.`;
    texts.forEach((text, side) => mark(text, found[side]));
    const [one, other] = found.map((places) => places.length);
    return one + other ? `${one} differences in the first text, ${other} in the second.` : "The texts are the same.";
  }
}
