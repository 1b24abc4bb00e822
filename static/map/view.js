// Where the paper lies under the canvas, and the fingers, wheel and keys that move it or draw on it.

import { GRID } from "./painter.js";

const ROOM = 0.92; // of the canvas that all of the paper takes
const MOST_ZOOM = 400;
const STEP = 1.35;
const DRAGGED_PX = 4; // what is moved less is a click

export class View {
  #fingers = new Map();
  #drag = null;

  /** `on` gets: changed(), hover(point or null), pick(point), drawn(corners, over), choose(), drop(). */
  constructor(canvas, on) {
    Object.assign(this, { canvas, on, tool: "move", ratio: 1 });
    this.width = this.height = 1;
    this.zoom = 1;
    this.middle = [GRID / 2, GRID / 2];
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"])
      canvas.addEventListener(end, (event) => this.#up(event));
    canvas.addEventListener("pointerleave", () => this.#drag || this.on.hover(null));
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  resize(width, height, ratio) {
    Object.assign(this, { width, height, ratio });
  }

  /** Scale and offsets in pixels of the canvas. */
  get transform() {
    const scale = (this.zoom * ROOM * Math.min(this.width, this.height) * this.ratio) / GRID;
    return {
      scale,
      left: (this.width * this.ratio) / 2 - this.middle[0] * scale,
      top: (this.height * this.ratio) / 2 - this.middle[1] * scale,
    };
  }

  /** One CSS pixel in units of the paper. */
  get unit() {
    return this.ratio / this.transform.scale;
  }

  /** The part of the paper that is in view, as an outline. */
  get window() {
    const [wide, high] = [(this.width / 2) * this.unit, (this.height / 2) * this.unit];
    const [x, y] = this.middle;
    return [[x - wide, y - high], [x + wide, y - high], [x + wide, y + high], [x - wide, y + high]];
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    return [
      this.middle[0] + (x - this.width / 2) * this.unit,
      this.middle[1] + (y - this.height / 2) * this.unit,
    ];
  }

  fit() {
    this.zoom = 1;
    this.middle = [GRID / 2, GRID / 2];
    this.on.changed();
  }

  /** Bring an outline into view. */
  show(corners) {
    const [xs, ys] = [corners.map(([x]) => x), corners.map(([, y]) => y)];
    const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const span = Math.max(right - left, bottom - top, GRID / MOST_ZOOM);
    this.zoom = Math.min(MOST_ZOOM, Math.max(1, (0.7 * GRID) / span));
    this.middle = [(left + right) / 2, (top + bottom) / 2];
    this.on.changed();
  }

  /** Zoom about a point of the paper, which stays where it is; about the middle without one. */
  zoomBy(factor, about = this.middle) {
    const before = this.zoom;
    this.zoom = Math.min(MOST_ZOOM, Math.max(0.5, this.zoom * factor));
    const share = before / this.zoom;
    this.middle = this.middle.map((each, axis) => about[axis] + (each - about[axis]) * share);
    this.#moveTo(this.middle);
  }

  /** Never past the paper, which could not be found again. */
  #moveTo(middle) {
    this.middle = middle.map((each) => Math.min(GRID, Math.max(0, each)));
    this.on.changed();
  }

  #down(event) {
    if (event.button) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.#fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (this.#fingers.size > 1) {
      if (this.#drag?.corners) this.on.drawn([], true); // a second finger moves the map instead
      this.#drag = null;
      return;
    }
    const point = this.at(event);
    const tool = event.shiftKey && this.tool === "move" ? "box" : this.tool;
    this.#drag = { tool, from: [event.clientX, event.clientY], point, middle: this.middle, far: false, corners: null };
  }

  #move(event) {
    if (!this.#fingers.has(event.pointerId)) {
      this.on.hover(this.at(event));
      return;
    }
    if (this.#fingers.size > 1) {
      this.#pinch(event);
      return;
    }
    const drag = this.#drag;
    this.#fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (!drag) return;
    const [dx, dy] = [event.clientX - drag.from[0], event.clientY - drag.from[1]];
    drag.far ||= Math.hypot(dx, dy) > DRAGGED_PX;
    if (!drag.far) return;
    this.on.hover(null);
    if (drag.tool === "move") this.#moveTo([drag.middle[0] - dx * this.unit, drag.middle[1] - dy * this.unit]);
    else this.#drawTo(drag, this.at(event));
  }

  #drawTo(drag, [x, y]) {
    const [left, top] = drag.point;
    if (drag.tool === "box") drag.corners = [[left, top], [x, top], [x, y], [left, y]];
    else drag.corners = [...(drag.corners ?? [drag.point]), [x, y]];
    this.on.drawn(drag.corners, false);
  }

  #pinch(event) {
    const others = [...this.#fingers].filter(([id]) => id !== event.pointerId);
    const [[, other]] = others;
    const before = this.#fingers.get(event.pointerId);
    const now = [event.clientX, event.clientY];
    this.#fingers.set(event.pointerId, now);
    const apart = ([ax, ay], [bx, by]) => Math.max(1, Math.hypot(ax - bx, ay - by));
    const [dx, dy] = [(now[0] - before[0]) / 2, (now[1] - before[1]) / 2];
    this.middle = [this.middle[0] - dx * this.unit, this.middle[1] - dy * this.unit];
    const between = this.at({ clientX: (now[0] + other[0]) / 2, clientY: (now[1] + other[1]) / 2 });
    this.zoomBy(apart(now, other) / apart(before, other), between);
  }

  #up(event) {
    if (!this.#fingers.delete(event.pointerId)) return;
    const drag = this.#drag;
    this.#drag = null;
    if (!drag || event.type === "pointercancel") {
      if (drag?.corners) this.on.drawn([], true);
      return;
    }
    if (drag.corners) this.on.drawn(drag.corners, true);
    else if (!drag.far) this.on.pick(drag.point);
  }

  #wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    const factor = Math.exp(-Math.max(-240, Math.min(240, event.deltaY * lines)) / 300);
    this.zoomBy(factor, this.at(event));
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const far = Math.min(this.width, this.height) * 0.15 * this.unit;
    const by = (dx, dy) => () => this.#moveTo([this.middle[0] + dx * far, this.middle[1] + dy * far]);
    const keys = {
      ArrowLeft: by(-1, 0),
      ArrowRight: by(1, 0),
      ArrowUp: by(0, -1),
      ArrowDown: by(0, 1),
      "+": () => this.zoomBy(STEP),
      "=": () => this.zoomBy(STEP),
      "-": () => this.zoomBy(1 / STEP),
      0: () => this.fit(),
      Enter: () => this.on.choose(),
      Escape: () => this.on.drop(),
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  }
}
