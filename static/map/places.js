// What lies where: the point nearest to a pointer, and the items within an outline.

import { GRID, NOWHERE } from "./painter.js";

export const MOST_CORNERS = 100;
const CELLS = 256;

/** Items by cells of the paper, so that the nearest is found without looking at all of them. */
export class Places {
  constructor(places, regions) {
    Object.assign(this, { places, regions, rows: regions.length });
    this.starts = new Uint32Array(CELLS * CELLS + 1);
    const there = [];
    for (let number = 0; number < this.rows; number += 1)
      if (places[2 * number] !== NOWHERE) there.push(number);
    this.present = Uint32Array.from(there);
    for (const number of there) this.starts[this.#cell(number) + 1] += 1;
    for (let cell = 0; cell < CELLS * CELLS; cell += 1) this.starts[cell + 1] += this.starts[cell];
    const next = this.starts.slice();
    this.sorted = new Uint32Array(there.length);
    for (const number of there) this.sorted[next[this.#cell(number)]++] = number;
  }

  #cell(number) {
    const [x, y] = [this.places[2 * number], this.places[2 * number + 1]];
    return Math.floor((y * CELLS) / (GRID + 1)) * CELLS + Math.floor((x * CELLS) / (GRID + 1));
  }

  /** The item nearest to [x, y] on the paper and not farther than `reach`; null where there is none. */
  nearest([x, y], reach, wanted) {
    const cell = (value) => Math.min(CELLS - 1, Math.max(0, Math.floor((value * CELLS) / (GRID + 1))));
    let [found, best] = [null, reach * reach];
    for (let row = cell(y - reach); row <= cell(y + reach); row += 1) {
      const from = this.starts[row * CELLS + cell(x - reach)];
      const to = this.starts[row * CELLS + cell(x + reach) + 1];
      for (let at = from; at < to; at += 1) {
        const number = this.sorted[at];
        const far = (this.places[2 * number] - x) ** 2 + (this.places[2 * number + 1] - y) ** 2;
        if (far <= best && (!wanted || wanted(number))) [found, best] = [number, far];
      }
    }
    return found;
  }

  /** How many items lie within an outline; the server counts the same way, in whole numbers. */
  countWithin(corners, wanted) {
    const [xs, ys] = [corners.map(([x]) => x), corners.map(([, y]) => y)];
    const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    let count = 0;
    for (const number of this.present) {
      const [x, y] = [this.places[2 * number], this.places[2 * number + 1]];
      if (x < left || x > right || y < top || y > bottom || (wanted && !wanted(number))) continue;
      if (isInside(x, y, corners)) count += 1;
    }
    return count;
  }

  countInRegion(region, wanted) {
    let count = 0;
    for (const number of this.present)
      if (this.regions[number] === region && (!wanted || wanted(number))) count += 1;
    return count;
  }
}

function isInside(x, y, corners) {
  let odd = false;
  for (let at = 0; at < corners.length; at += 1) {
    const [ax, ay] = corners[at];
    const [bx, by] = corners[(at + 1) % corners.length];
    if (ay > y === by > y) continue;
    const [here, there] = [(x - ax) * (by - ay), (y - ay) * (bx - ax)];
    if (by > ay ? here < there : here > there) odd = !odd;
  }
  return odd;
}

/** An outline of whole numbers with at most MOST_CORNERS corners (Ramer 1972; Douglas, Peucker 1973). */
export function simplified(corners) {
  const whole = corners.map(([x, y]) => [clamped(x), clamped(y)]);
  let [kept, tolerance] = [whole, GRID / 2000];
  while (kept.length > MOST_CORNERS) {
    kept = thinned(whole, tolerance);
    tolerance *= 1.5;
  }
  return kept;
}

const clamped = (value) => Math.min(GRID, Math.max(0, Math.round(value)));

function thinned(corners, tolerance) {
  const keep = new Uint8Array(corners.length);
  keep[0] = keep[corners.length - 1] = 1;
  const open = [[0, corners.length - 1]];
  while (open.length) {
    const [from, to] = open.pop();
    let [farthest, most] = [0, tolerance];
    for (let at = from + 1; at < to; at += 1) {
      const far = distance(corners[at], corners[from], corners[to]);
      if (far > most) [farthest, most] = [at, far];
    }
    if (!farthest) continue;
    keep[farthest] = 1;
    open.push([from, farthest], [farthest, to]);
  }
  return corners.filter((_, at) => keep[at]);
}

/** How far a corner is from the line between two others. */
function distance([x, y], [ax, ay], [bx, by]) {
  const length = Math.hypot(bx - ax, by - ay);
  if (!length) return Math.hypot(x - ax, y - ay);
  return Math.abs((bx - ax) * (ay - y) - (ax - x) * (by - ay)) / length;
}
