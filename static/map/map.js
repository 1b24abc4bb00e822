// The map of the corpus: points by number, coloured by what is chosen, and an area of them as a filter.

import { GRID, NOWHERE, OFF, Painter } from "./painter.js";
import { Places, simplified } from "./places.js";
import { Tip } from "./tip.js";
import { View } from "./view.js";

const byId = (id) => document.getElementById(id);
const sheet = byId("map");
const canvas = byId("map-canvas");
const REACH_PX = { mouse: 10, pen: 14, touch: 24 };
const counted = (count) => `${count.toLocaleString("en")} ${count === 1 ? "item" : "items"}`;
const bytes = (text) => Uint8Array.from(atob(text), (each) => each.charCodeAt(0));

const state = {
  places: null, // Places
  codes: new Uint8Array(0),
  groups: [],
  order: new Uint32Array(0),
  hits: null, // (number) => whether the filter finds it
  lit: null, // the group that its legend points at
  pinned: null,
  region: null, // the region that is chosen
  corners: null, // the outline that is drawn or chosen
  isOver: true, // whether the outline is whole
  near: null,
};
const regions = [...document.querySelectorAll("#map-regions [data-region]")].map((row) => ({
  row,
  number: Number(row.dataset.region),
  x: Number(row.dataset.x),
  y: Number(row.dataset.y),
  title: row.dataset.title,
  area: row.dataset.area,
}));

const painter = new Painter(canvas);
const tip = new Tip(byId("map-tip"), sheet.dataset.item);
const view = new View(canvas, {
  changed: () => draw(),
  hover: (point) => hover(point),
  pick: (point) => pick(point),
  drawn: (corners, isOver) => drawn(corners, isOver),
  choose: () => chooseOutline(view.window),
  drop: () => letGo(),
});

let waits = false;
function draw() {
  if (waits || !state.places) return;
  waits = true;
  requestAnimationFrame(() => {
    waits = false;
    const began = performance.now();
    paint();
    sheet.dataset.frame = (performance.now() - began).toFixed(1);
  });
}

function paint() {
  const transform = view.transform;
  const { places } = state.places;
  painter.points({ places, codes: state.codes, order: state.order, stands: standsOut(), view: transform, size: dotSize() });
  painter.names(regions, transform, view.ratio);
  if (state.corners) painter.outline(state.corners, transform, view.ratio, { closed: state.isOver });
  if (state.near !== null) painter.ring([places[2 * state.near], places[2 * state.near + 1]], transform, view.ratio);
}

/** What stands out, or null where everything does. */
function standsOut() {
  const group = state.lit ?? state.pinned;
  const tests = [];
  if (group !== null) tests.push((number) => state.codes[number] === group);
  if (state.hits) tests.push(state.hits);
  if (state.region !== null) tests.push((number) => state.places.regions[number] === state.region);
  if (!tests.length) return null;
  return (number) => tests.every((test) => test(number));
}

/** Small where there are many, larger as one comes near; in pixels of the canvas. */
function dotSize() {
  const crowd = Math.sqrt(20000 / Math.max(300, state.places.present.length));
  return Math.round(Math.min(11, Math.max(1.6, 2.5 * Math.min(2, crowd) * view.zoom ** 0.3)) * view.ratio);
}

// --- pointers

function hover(point) {
  const near = point && state.places ? state.places.nearest(point, REACH_PX.mouse * view.unit, state.hits) : null;
  if (near === state.near) return;
  state.near = near;
  canvas.classList.toggle("near", near !== null);
  if (near === null) tip.hide();
  else tip.show(near, seenAt(near), state.groups[state.codes[near]]?.name);
  draw();
}

function seenAt(number) {
  const { scale, left, top } = view.transform;
  const { places } = state.places;
  return [(places[2 * number] * scale + left) / view.ratio, (places[2 * number + 1] * scale + top) / view.ratio];
}

function pick(point) {
  const reach = matchMedia("(pointer: coarse)").matches ? REACH_PX.touch : REACH_PX.mouse;
  const near = state.places?.nearest(point, reach * view.unit, state.hits) ?? null;
  if (near === null) return;
  tip.hide();
  window.htmx.ajax("GET", sheet.dataset.item.replace(/0$/, near), { target: "#drawer-body", swap: "innerHTML" });
}

function drawn(corners, isOver) {
  state.region = null;
  state.corners = corners.length ? corners : null;
  state.isOver = isOver;
  if (!corners.length) letGo();
  else if (isOver) chooseOutline(corners);
  else draw();
}

// --- what is chosen

function chooseOutline(corners) {
  const outline = simplified(corners);
  if (outline.length < 3) return letGo();
  const count = state.places.countWithin(outline, state.hits);
  if (!count) return letGo("Nothing lies there");
  const area = `${sheet.dataset.name}.${outline.map((each) => each.join("-")).join("_")}`;
  Object.assign(state, { corners: outline, isOver: true, region: null });
  chosen(area, count);
}

function chooseRegion({ number, area, title }) {
  Object.assign(state, { corners: null, region: number });
  chosen(area, state.places.countInRegion(number, state.hits), title);
}

function chosen(area, count, title = "") {
  const filters = sheet.dataset.filters ? `&${sheet.dataset.filters}` : "";
  byId("map-show").href = `${sheet.dataset.list}?area=${area}${filters}`;
  byId("map-show").lastChild.textContent = `Show ${count === 1 ? "this" : "these"} ${counted(count)}`;
  byId("map-chosen").textContent = `${counted(count)} chosen${title ? `: ${title}` : ""}`;
  byId("map-acts").hidden = false;
  draw();
}

function letGo(words = "Nothing chosen") {
  Object.assign(state, { corners: null, isOver: true, region: null });
  byId("map-chosen").textContent = words;
  byId("map-acts").hidden = true;
  draw();
}

/** The area in the address, where Explore leads back to the map with one. */
function readArea() {
  const [name, rest] = sheet.dataset.area.split(".");
  if (name !== sheet.dataset.name || !rest) return;
  const region = regions.find((each) => each.area === sheet.dataset.area);
  if (region) return chooseRegion(region);
  const corners = rest.split("_").map((each) => each.split("-").map(Number));
  if (corners.length < 3) return;
  chooseOutline(corners);
  view.show(corners);
}

// --- colours and their legend

async function fetched(address) {
  const response = await fetch(address, { credentials: "same-origin" });
  if (!response.ok) throw new Error(`The map could not be read (${response.status}). Load the page again.`);
  return response;
}

async function colour(by) {
  const told = await (await fetched(`${sheet.dataset.colours}?by=${encodeURIComponent(by)}`)).json();
  state.codes = bytes(told.codes);
  state.groups = told.groups;
  Object.assign(state, { lit: null, pinned: null });
  painter.setTones(told.groups.map(({ tone }) => tone));
  arrange();
  listGroups();
  draw();
}

/** Drawn last, on top: the smallest groups, and those that say something. */
function arrange() {
  const rank = state.groups.map(({ tone, items }, code) => [tone === "line-strong" ? 0 : 1, -items, code]);
  rank.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const lists = state.groups.map(() => []);
  for (const number of state.places.present)
    if (state.codes[number] !== OFF) lists[state.codes[number]].push(number);
  state.order = Uint32Array.from(rank.flatMap(([, , code]) => lists[code]));
}

function listGroups() {
  const list = byId("map-groups");
  list.replaceChildren(
    ...state.groups.flatMap(({ name, tone, items }, code) => {
      if (!items) return [];
      const [row, button, dot, words, count] = ["li", "button", "span", "span", "span"].map((tag) => document.createElement(tag));
      dot.className = "dot";
      dot.style.setProperty("--hue", `var(--${tone})`);
      words.textContent = name;
      words.dir = "auto";
      count.textContent = items.toLocaleString("en");
      count.className = "muted";
      button.type = "button";
      button.className = "map-group";
      button.setAttribute("aria-pressed", "false");
      button.append(dot, words, count);
      const light = (on) => () => {
        state.lit = on ? code : null;
        draw();
      };
      button.addEventListener("pointerenter", light(true));
      button.addEventListener("pointerleave", light(false));
      button.addEventListener("focus", light(true));
      button.addEventListener("blur", light(false));
      button.addEventListener("click", () => pin(code));
      row.append(button);
      return [row];
    }),
  );
}

function pin(code) {
  state.pinned = state.pinned === code ? null : code;
  if (state.pinned === null) state.lit = null;
  const shown = state.groups.map((group, at) => (group.items ? at : null)).filter((at) => at !== null);
  [...byId("map-groups").querySelectorAll("button")].forEach((button, at) =>
    button.setAttribute("aria-pressed", String(shown[at] === state.pinned)),
  );
  draw();
}

// --- the beginning

async function readPoints() {
  const rows = Number(sheet.dataset.rows);
  const content = await (await fetched(sheet.dataset.points)).arrayBuffer();
  const sent = Math.floor(content.byteLength / 5); // more than the page knows, if some were placed meanwhile
  const count = Math.min(rows, sent);
  const places = new Uint16Array(content, 0, 2 * count); // low byte first, as every browser's machine
  state.places = new Places(places, new Uint8Array(content, 4 * sent, count));
  state.codes = new Uint8Array(count);
}

async function readHits() {
  if (!sheet.dataset.hits) return;
  const told = await (await fetched(sheet.dataset.hits)).json();
  const bits = bytes(told.bits);
  state.hits = (number) => Boolean(bits[number >> 3] & (1 << (number & 7)));
  byId("map-hits").textContent = `${counted(told.items)} of the map ${told.items === 1 ? "fits" : "fit"}`;
}

function resize() {
  const box = canvas.getBoundingClientRect();
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  view.resize(box.width, box.height, ratio);
  painter.resize(Math.max(1, Math.round(box.width * ratio)), Math.max(1, Math.round(box.height * ratio)));
  draw();
}

function recolour() {
  painter.readColours();
  draw();
}

function listen() {
  new ResizeObserver(resize).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
  new MutationObserver(recolour).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  byId("map-by").addEventListener("change", (event) => attempt(() => colour(event.target.value)));
  byId("map-clear").addEventListener("click", () => (letGo(), canvas.focus()));
  for (const button of document.querySelectorAll("[data-tool]"))
    button.addEventListener("click", () => {
      view.tool = button.dataset.tool;
      canvas.dataset.tool = view.tool;
      document.querySelectorAll("[data-tool]").forEach((each) => each.setAttribute("aria-pressed", String(each === button)));
    });
  const zooms = { in: () => view.zoomBy(1.5), out: () => view.zoomBy(1 / 1.5), fit: () => view.fit() };
  for (const button of document.querySelectorAll("[data-zoom]"))
    button.addEventListener("click", zooms[button.dataset.zoom]);
  for (const region of regions) {
    const look = region.row.querySelector("[data-look]");
    look.hidden = false;
    look.addEventListener("click", () => {
      chooseRegion(region);
      view.show(extent(region.number));
      canvas.focus();
    });
  }
}

/** The corners between which a region's items lie. */
function extent(region) {
  let [left, top, right, bottom] = [GRID, GRID, 0, 0];
  const { places, regions: of, present } = state.places;
  for (const number of present) {
    if (of[number] !== region || places[2 * number] === NOWHERE) continue;
    [left, right] = [Math.min(left, places[2 * number]), Math.max(right, places[2 * number])];
    [top, bottom] = [Math.min(top, places[2 * number + 1]), Math.max(bottom, places[2 * number + 1])];
  }
  return [[left, top], [right, bottom]];
}

async function attempt(work) {
  try {
    await work();
  } catch (error) {
    byId("map-chosen").textContent = error.message;
  }
}

attempt(async () => {
  resize(); // before anything is painted, which colours may be while hits are still on their way
  await readPoints();
  await Promise.all([colour(byId("map-by").value), readHits()]);
  listen();
  readArea();
  sheet.dataset.ready = "yes";
});
