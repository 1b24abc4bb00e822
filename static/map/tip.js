// What is shown of an item where the pointer rests. Its text is data: never markup.

const REST_MS = 90;
const KEPT = 300;

export class Tip {
  #timer = 0;
  #wanted = null;
  #known = new Map(); // number -> what was told

  /** `address` is an item's, with 0 for its number. */
  constructor(box, address) {
    Object.assign(this, { box, address });
  }

  show(number, [x, y], group) {
    clearTimeout(this.#timer);
    this.#wanted = number;
    this.#timer = setTimeout(() => this.#tell(number, [x, y], group), this.#known.has(number) ? 0 : REST_MS);
  }

  hide() {
    clearTimeout(this.#timer);
    this.#wanted = null;
    this.box.hidden = true;
  }

  async #tell(number, [x, y], group) {
    if (!this.#known.has(number)) {
      const told = await this.#ask(number);
      if (told === null) return this.#wanted === number && this.hide();
      if (this.#known.size > KEPT) this.#known.clear();
      this.#known.set(number, told);
    }
    if (this.#wanted !== number) return;
    this.#fill(this.#known.get(number), group);
    this.box.hidden = false;
    const { offsetWidth: wide, offsetHeight: high } = this.box;
    const { offsetWidth: width, offsetHeight: height } = this.box.parentElement;
    this.box.style.left = `${Math.max(4, Math.min(x + 14, width - wide - 4))}px`;
    this.box.style.top = `${y + 14 + high < height ? y + 14 : Math.max(4, y - high - 14)}px`;
  }

  /** What the server tells of an item; null when it was taken away meanwhile, or nobody answers. */
  async #ask(number) {
    try {
      const address = `${this.address.replace(/0$/, number)}/glance`;
      const response = await fetch(address, { credentials: "same-origin" });
      return response.ok ? await response.json() : null;
    } catch {
      return null; // offline: a click says so, a hint that does not come need not
    }
  }

  #fill({ name, text, image, labels }, group) {
    const parts = [];
    const add = (tag, words, kind) => {
      const made = document.createElement(tag);
      made.textContent = words;
      if (kind) made.className = kind;
      made.dir = "auto";
      parts.push(made);
      return made;
    };
    if (image) add("img", "").src = image;
    if (text) add("p", text);
    add("p", [name, labels.join(", ") || group].filter(Boolean).join(" · "), "muted small");
    for (const picture of parts.filter((each) => each.tagName === "IMG")) picture.alt = "";
    this.box.replaceChildren(...parts);
  }
}
