// Draws a hundred thousand points in a few milliseconds: straight into the pixels of the canvas, no
// graphics card needed. Points are whole numbers on a paper of GRID × GRID.

export const GRID = 65534;
export const NOWHERE = 65535;
export const OFF = 255;

const SPANS = new Map(); // diameter -> half widths of a disc's rows
const LARGEST = 13;
const DIMMED = 0.78; // how much of the paper's colour a dimmed point has

/** Rows of a disc as [dy, from, to]. */
function spans(size) {
  if (!SPANS.has(size)) {
    const [middle, rows] = [(size - 1) / 2, []];
    for (let y = 0; y < size; y += 1) {
      const half = Math.sqrt(Math.max(0, (size / 2) ** 2 - (y - middle) ** 2));
      const from = Math.max(0, Math.round(middle - half + 0.2));
      rows.push([y - Math.floor(middle), from - Math.floor(middle), size - from - Math.floor(middle)]);
    }
    SPANS.set(size, rows);
  }
  return SPANS.get(size);
}

/** Red, green and blue of any colour that the stylesheet may name. */
function channels(colour) {
  const probe = document.createElement("canvas");
  probe.width = probe.height = 1;
  const context = probe.getContext("2d", { willReadFrequently: true });
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}

const word = ([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r;
const between = (a, b, share) => a.map((each, at) => Math.round(each * (1 - share) + b[at] * share));

export class Painter {
  #image = null;
  #pixels = null;

  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    this.tones = [];
    this.readColours();
  }

  /** Colours of the theme that is on. */
  readColours() {
    const style = getComputedStyle(this.canvas);
    this.token = (name) => style.getPropertyValue(`--${name}`);
    const probe = document.createElement("span");
    this.canvas.after(probe);
    const real = (name) => {
      probe.style.color = `var(--${name})`; // light-dark() is resolved only by a property
      return getComputedStyle(probe).color;
    };
    this.text = real("text");
    this.page = real("raised");
    this.accent = real("accent");
    this.line = real("line");
    this.paper = channels(this.page);
    this.palette = this.tones.map((tone) => channels(real(tone)));
    probe.remove();
    this.bright = Uint32Array.from(this.palette, word);
    this.dim = Uint32Array.from(this.palette, (each) => word(between(each, this.paper, DIMMED)));
  }

  setTones(tones) {
    this.tones = tones;
    this.readColours();
  }

  resize(width, height) {
    this.canvas.width = width;
    this.canvas.height = height;
    this.#image = this.context.createImageData(width, height);
    this.#pixels = new Uint32Array(this.#image.data.buffer);
  }

  /**
   * Draw all points. `view` is {scale, left, top} in pixels of the canvas. `order` lists item numbers,
   * what lies on top last; `stands(number)` says of each whether it stands out, or is null: all do.
   */
  points({ places, codes, order, stands, view, size }) {
    this.#pixels.fill(word(this.paper));
    if (stands) this.#pass(places, codes, order, (number) => !stands(number), this.dim, view, size);
    this.#pass(places, codes, order, stands, this.bright, view, size);
    this.context.putImageData(this.#image, 0, 0);
  }

  #pass(places, codes, order, wanted, colours, { scale, left, top }, size) {
    const { width, height } = this.canvas;
    const [pixels, disc] = [this.#pixels, spans(Math.min(LARGEST, Math.max(1, size)))];
    for (let at = 0; at < order.length; at += 1) {
      const number = order[at];
      if (wanted && !wanted(number)) continue;
      const x = Math.round(places[2 * number] * scale + left);
      const y = Math.round(places[2 * number + 1] * scale + top);
      if (x < LARGEST || y < LARGEST || x >= width - LARGEST || y >= height - LARGEST) continue;
      const colour = colours[codes[number]];
      for (let row = 0; row < disc.length; row += 1) {
        const [dy, from, to] = disc[row];
        const start = (y + dy) * width + x;
        for (let pixel = start + from; pixel < start + to; pixel += 1) pixels[pixel] = colour;
      }
    }
  }

  /** Names of regions, the largest first; one that would lie on another is left out. */
  names(regions, { scale, left, top }, ratio) {
    const { context } = this;
    const height = 13 * ratio;
    context.font = `600 ${height}px ${getComputedStyle(this.canvas).fontFamily}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    const taken = [];
    for (const { x, y, title } of regions) {
      const [at, down] = [x * scale + left, y * scale + top];
      const half = context.measureText(title).width / 2 + 4 * ratio;
      const box = [at - half, down - height * 0.8, at + half, down + height * 0.8];
      if (box[0] < 0 || box[2] > this.canvas.width || box[1] < 0 || box[3] > this.canvas.height) continue;
      if (taken.some((o) => box[0] < o[2] && box[2] > o[0] && box[1] < o[3] && box[3] > o[1])) continue;
      taken.push(box);
      context.strokeStyle = this.page;
      context.lineWidth = 4 * ratio;
      context.strokeText(title, at, down);
      context.fillStyle = this.text;
      context.fillText(title, at, down);
    }
  }

  /** The outline that is drawn or chosen, as [x, y] on the paper. */
  outline(corners, { scale, left, top }, ratio, { closed }) {
    if (corners.length < 2) return;
    const { context } = this;
    context.beginPath();
    corners.forEach(([x, y], at) => context[at ? "lineTo" : "moveTo"](x * scale + left, y * scale + top));
    if (closed) context.closePath();
    context.strokeStyle = this.page;
    context.lineWidth = 4 * ratio;
    context.stroke();
    context.strokeStyle = this.accent;
    context.lineWidth = 2 * ratio;
    context.setLineDash([6 * ratio, 4 * ratio]);
    context.stroke();
    context.setLineDash([]);
  }

  /** A ring around one point. */
  ring([x, y], { scale, left, top }, ratio) {
    const { context } = this;
    context.beginPath();
    context.arc(x * scale + left, y * scale + top, 7 * ratio, 0, 2 * Math.PI);
    context.strokeStyle = this.text;
    context.lineWidth = 2 * ratio;
    context.stroke();
  }
}
