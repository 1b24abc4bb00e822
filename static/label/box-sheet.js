// A picture with boxes over it: drawn, zoomed, panned. Boxes are shares of the picture; here alone they
// become pixels of the screen.

const SVG = "http://www.w3.org/2000/svg";
const MOST_ZOOM = 16;
const HANDLE = 9;
export const CORNERS = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];

const made = (name, attributes, parent) => {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  parent.append(node);
  return node;
};

export class BoxSheet {
  #zoom = 1;
  #drawn = [[], null];

  /** The card's picture makes room for a frame that scrolls over a sheet of any size. */
  constructor(picture) {
    this.image = picture.querySelector("img");
    this.frame = document.createElement("div");
    this.frame.className = "box-frame";
    this.sheet = document.createElement("div");
    this.sheet.className = "box-sheet";
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("aria-hidden", "true");
    picture.replaceWith(this.frame);
    this.sheet.append(this.image, this.svg);
    this.frame.append(this.sheet);
    this.image.addEventListener("load", () => this.#lay());
    new ResizeObserver(() => this.#lay()).observe(this.frame);
    this.#lay();
  }

  get zoom() {
    return this.#zoom;
  }

  /** A place of the screen as shares of the picture, within it. */
  shares(x, y) {
    const room = this.sheet.getBoundingClientRect();
    const within = (value) => Math.min(1, Math.max(0, value));
    return [within((x - room.left) / room.width), within((y - room.top) / room.height)];
  }

  /** Pixels of the screen as shares of the picture. */
  reach(pixels) {
    const room = this.sheet.getBoundingClientRect();
    return [pixels / room.width, pixels / room.height];
  }

  /** Zoom, with the place (x, y) of the screen staying where it is; 0 shows the whole picture. */
  zoomTo(wanted, x, y) {
    const room = this.frame.getBoundingClientRect();
    const [at, to] = [x ?? room.left + room.width / 2, y ?? room.top + room.height / 2];
    const [across, down] = this.shares(at, to);
    this.#zoom = Math.min(MOST_ZOOM, Math.max(1, wanted));
    this.#lay();
    const sheet = this.sheet.getBoundingClientRect();
    this.frame.scrollLeft += sheet.left + across * sheet.width - at;
    this.frame.scrollTop += sheet.top + down * sheet.height - to;
  }

  pan(across, down) {
    this.frame.scrollLeft -= across;
    this.frame.scrollTop -= down;
  }

  /** Scroll until a box is seen. */
  reveal(box) {
    const sheet = this.sheet.getBoundingClientRect();
    const room = this.frame.getBoundingClientRect();
    const left = sheet.left + box.x * sheet.width;
    const top = sheet.top + box.y * sheet.height;
    if (left < room.left || left > room.right - 8) this.frame.scrollLeft += left - room.left - room.width / 3;
    if (top < room.top || top > room.bottom - 8) this.frame.scrollTop += top - room.top - room.height / 3;
  }

  /** The middle of what is seen, as shares. */
  get middle() {
    const room = this.frame.getBoundingClientRect();
    return this.shares(room.left + room.width / 2, room.top + room.height / 2);
  }

  #lay() {
    const [wide, high] = [this.image.naturalWidth || 4, this.image.naturalHeight || 3];
    const scale = Math.min(this.frame.clientWidth / wide, this.frame.clientHeight / high) * this.#zoom;
    if (!scale) return;
    this.sheet.style.width = `${wide * scale}px`;
    this.sheet.style.height = `${high * scale}px`;
    this.draw(...this.#drawn);
  }

  /** Draw boxes {x, y, w, h, hue, name, kind}; the selected one has handles. */
  draw(boxes, selected) {
    this.#drawn = [boxes, selected];
    const [width, height] = [this.sheet.offsetWidth, this.sheet.offsetHeight];
    this.svg.replaceChildren();
    for (const box of boxes) {
      const [x, y, w, h] = [box.x * width, box.y * height, box.w * width, box.h * height];
      const group = made("g", { class: `hue-${box.hue} ${box.kind}${box === selected ? " now" : ""}` }, this.svg);
      made("rect", { class: "box", x, y, width: w, height: h }, group);
      made("text", { class: "box-name", x: x + 4, y: Math.max(12, y - 4) }, group).textContent = box.name;
      if (box === selected) this.#handles(x, y, w, h, group);
    }
  }

  #handles(x, y, w, h, group) {
    for (const corner of CORNERS) {
      const across = corner.includes("w") ? 0 : corner.includes("e") ? w : w / 2;
      const down = corner.includes("n") ? 0 : corner.includes("s") ? h : h / 2;
      const at = { x: x + across - HANDLE / 2, y: y + down - HANDLE / 2, width: HANDLE, height: HANDLE };
      made("rect", { class: "box-handle", ...at }, group);
    }
  }
}
