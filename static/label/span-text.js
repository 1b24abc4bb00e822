// The text of an item, drawn so that every place in it can be found again: from an offset to the
// screen and back is no change. Offsets are UTF-16 units in here and code points outside; what the
// screen shows beside the text (names of labels, marks of control characters) is drawn by the style
// sheet and is no part of it.

const CHUNK = 1500; // units drawn together: a change draws the chunks that it touches and no others
const SPACE = /\s/;
const TELLING = /[\p{L}\p{N}\p{S}\p{M}]/u; // a word is worth a stop when it holds one of these

/** Where each code point begins, or null where every one takes one unit. */
function pointStarts(text) {
  if (!/[\ud800-\udfff]/.test(text)) return null;
  const starts = [];
  for (let at = 0; at < text.length; at += text.codePointAt(at) > 0xffff ? 2 : 1) starts.push(at);
  starts.push(text.length);
  return starts;
}

/** The place in an ascending list of the last entry that is not above `wanted`. */
function lastUpTo(list, wanted, of = (each) => each) {
  let low = 0;
  let high = list.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (of(list[middle]) <= wanted) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Cut [start, end) into pieces of at most CHUNK units, after a space where there is one. */
function* pieces(text, start, end) {
  while (end - start > CHUNK) {
    let cut = start + CHUNK;
    while (cut > start + CHUNK / 2 && !SPACE.test(text[cut - 1])) cut -= 1;
    if (cut === start + CHUNK / 2) cut = start + CHUNK;
    if (/[\udc00-\udfff]/.test(text[cut])) cut -= 1;
    yield [start, cut];
    start = cut;
  }
  yield [start, end];
}

export class SpanText {
  #starts;
  #chunks = [];
  #controls;
  #words = null;

  /** `controls` lists [code point, short name, full name] of characters without a shape of their own. */
  constructor(box, { text, controls }) {
    Object.assign(this, { box, text });
    this.#starts = pointStarts(text);
    this.#controls = controls.map(([at, short, name]) => ({ at: this.units(at), short, name }));
    const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
    let start = 0;
    box.replaceChildren(
      ...lines.map((line) => {
        const row = document.createElement("div");
        row.dir = "auto"; // each line reads in its own direction
        for (const [from, to] of pieces(text, start, start + line.length)) {
          const place = document.createElement("span");
          this.#chunks.push({ start: from, end: to, place, drawn: null });
          row.append(place);
        }
        start += line.length;
        return row;
      }),
    );
    this.draw([]);
  }

  units(point) {
    return this.#starts ? this.#starts[Math.min(point, this.#starts.length - 1)] : point;
  }

  points(unit) {
    return this.#starts ? lastUpTo(this.#starts, unit) : unit;
  }

  /** Draw marks {start, end, hue, name, kind}; only chunks whose marks have changed are touched. */
  draw(marks) {
    let touched = 0;
    for (const chunk of this.#chunks) {
      const here = marks.filter((mark) => mark.start < chunk.end && mark.end > chunk.start);
      const wanted = JSON.stringify(here);
      if (wanted === chunk.drawn) continue;
      chunk.drawn = wanted;
      touched += 1;
      this.#drawChunk(chunk, here);
    }
    return touched;
  }

  #drawChunk({ start, end, place }, marks) {
    const controls = new Map(
      this.#controls.filter(({ at }) => at >= start && at < end).map((each) => [each.at, each]),
    );
    const cuts = new Set([start, end]);
    for (const mark of marks) {
      if (mark.start > start) cuts.add(mark.start);
      if (mark.end < end) cuts.add(mark.end);
    }
    for (const at of controls.keys()) {
      cuts.add(at);
      cuts.add(at + (this.text.codePointAt(at) > 0xffff ? 2 : 1));
    }
    const edges = [...cuts].sort((a, b) => a - b);
    const nodes = edges.slice(0, -1).map((from, place_) => {
      const to = edges[place_ + 1];
      const over = marks.filter((mark) => mark.start <= from && mark.end >= to);
      return this.#wrapped(this.#plain(from, to, controls.get(from)), over, from, to);
    });
    place.replaceChildren(...nodes);
  }

  #plain(from, to, control) {
    const text = document.createTextNode(this.text.slice(from, to));
    if (!control) return text;
    const mark = document.createElement("span");
    mark.className = "control-mark raw";
    mark.dataset.short = control.short;
    mark.title = control.name;
    mark.append(text);
    return mark;
  }

  /** The piece inside its marks, the longest outermost; a line more below for each one inside. */
  #wrapped(node, over, from, to) {
    const inner = [...over].sort((a, b) => a.end - a.start - (b.end - b.start));
    return inner.reduce((content, mark, depth) => {
      const span = document.createElement("span");
      span.className = `span hue-${mark.hue} ${mark.kind} deep-${Math.min(depth, 3)}`;
      if (mark.start === from) span.classList.add("from");
      if (mark.end === to) {
        span.classList.add("to");
        span.dataset.name = mark.name;
      }
      span.append(content);
      return span;
    }, node);
  }

  // ---- from offsets to the screen and back

  range(start, end) {
    const range = document.createRange();
    range.setStart(...this.#point(start, false));
    range.setEnd(...this.#point(end, true));
    return range;
  }

  /** The text node and the place in it; at a border `before` takes the end of the former one. */
  #point(unit, before) {
    const at = before && unit > 0 ? unit - 1 : unit;
    const chunk = this.#chunks[lastUpTo(this.#chunks, at, (each) => each.start)];
    if (!chunk) return [this.box, 0];
    const walker = document.createTreeWalker(chunk.place, NodeFilter.SHOW_TEXT);
    let passed = chunk.start;
    let node = null;
    while (walker.nextNode()) {
      node = walker.currentNode;
      if (at < passed + node.length) break;
      passed += node.length;
    }
    return node ? [node, Math.min(unit - passed, node.length)] : [chunk.place, 0];
  }

  /** The offset of a place on the screen, or null outside the text. */
  offset(node, within) {
    if (!this.box.contains(node)) return null;
    const range = document.createRange();
    const element = node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement;
    const place = this.#chunks.find((chunk) => chunk.place.contains(element));
    if (place) range.setStart(place.place, 0);
    else range.setStart(this.box, 0);
    range.setEnd(node, within);
    return (place ? place.start : 0) + range.toString().length;
  }

  select(start, end) {
    const range = this.range(start, end);
    getSelection().setBaseAndExtent(
      range.startContainer, range.startOffset, range.endContainer, range.endOffset,
    );
    return range;
  }

  /** What the browser has selected of this text: {start, end}, or null. */
  get selected() {
    const selection = getSelection();
    if (!selection.rangeCount) return null;
    const range = selection.getRangeAt(0);
    const [start, end] = [
      this.offset(range.startContainer, range.startOffset),
      this.offset(range.endContainer, range.endOffset),
    ];
    return start === null || end === null ? null : { start, end };
  }

  // ---- words and characters

  get words() {
    if (this.#words) return this.#words;
    const parts = new Intl.Segmenter(undefined, { granularity: "word" }).segment(this.text);
    this.#words = [];
    for (const { segment, index } of parts)
      if (TELLING.test(segment)) this.#words.push({ start: index, end: index + segment.length });
    return this.#words;
  }

  /** The first word that ends behind an offset, or null. */
  wordFrom(unit) {
    const { words } = this;
    if (!words.length) return null;
    const at = lastUpTo(words, unit, (word) => word.start);
    return words[at].end > unit ? words[at] : (words[at + 1] ?? null);
  }

  /** The last word that begins before an offset, or null. */
  wordBefore(unit) {
    const { words } = this;
    if (!words.length || words[0].start >= unit) return null;
    return words[lastUpTo(words, unit - 1, (word) => word.start)];
  }

  /** Grown to whole words; what holds no word is left as it is. */
  snapped({ start, end }) {
    const first = this.wordFrom(start);
    const last = this.wordBefore(end);
    if (!first || !last || first.start >= end || last.end <= start) return { start, end };
    return { start: Math.min(first.start, last.start), end: Math.max(first.end, last.end) };
  }

  /** The next border between characters as people count them, to the right (1) or the left (-1). */
  border(unit, step) {
    const from = Math.max(0, unit - 64);
    const near = this.text.slice(from, unit + 64);
    const borders = [...new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(near)]
      .map(({ index }) => from + index)
      .concat(Math.min(from + near.length, this.text.length));
    return step > 0
      ? (borders.find((each) => each > unit) ?? unit)
      : (borders.findLast((each) => each < unit) ?? unit);
  }

  isRightToLeft(unit) {
    const [node] = this.#point(unit, false);
    const element = node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement;
    return getComputedStyle(element.closest("div")).direction === "rtl";
  }

  /** Every other place that reads as [start, end) does, as whole words if that is one. */
  same(start, end) {
    const wanted = this.text.slice(start, end);
    const whole = this.snapped({ start, end });
    const isWhole = whole.start === start && whole.end === end;
    const found = [];
    for (let at = this.text.indexOf(wanted); at >= 0; at = this.text.indexOf(wanted, at + wanted.length)) {
      const place = { start: at, end: at + wanted.length };
      const around = this.snapped(place);
      if (!isWhole || (around.start === place.start && around.end === place.end)) found.push(place);
    }
    return found.filter((place) => place.start !== start);
  }
}
