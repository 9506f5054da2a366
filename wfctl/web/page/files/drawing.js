// The drawing, and the live numbers over it.
// The picture is the server's own and is shown as an image, in which nothing can run; the numbers are drawn here.

import { byId, draw, tell } from "./elements.js";
import { count, milliseconds, words } from "./figures.js";
import { ask, pathOf } from "./server.js";

const WIDE = 700;
const LARGEST = 1.3;
const SMALLEST = 0.62;
const HIGHEST = 620;
const MOST_DOTS = 6;
const LEAST_FILL = 0.02;

const pictures = new Map();
let shown = null;
let wanted = null;

/** Show the graph of a version; painted once, and fitted again when there is more or less room. */
export async function showGraph(workflow, version) {
  const id = JSON.stringify([workflow.name, version.version, version.since]);
  if (wanted?.id === id) return;
  wanted = { id, workflow: workflow.name, version: version.version };
  try {
    await fit();
  } catch (error) {
    wanted = null; // to be tried again with the next numbers
    throw error;
  }
}

async function pictureOf(direction) {
  const { id, workflow, version } = wanted;
  const name = direction + id;
  if (!pictures.has(name)) {
    if (pictures.size >= 16) pictures.clear();
    pictures.set(name, ask(`${pathOf(workflow, version, "drawing")}?direction=${direction}`));
    pictures.get(name).catch(() => pictures.delete(name));
  }
  return pictures.get(name);
}

const room = () => byId("holder").clientWidth;
const scaleOf = (picture) =>
  Math.min(LARGEST, room() / picture.width, Math.max(HIGHEST / picture.height, SMALLEST));

async function fit() {
  const { id } = wanted;
  const order = room() >= WIDE ? ["LR", "TB"] : ["TB", "LR"];
  let best = await pictureOf(order[0]);
  if (scaleOf(best) < SMALLEST) {
    const other = await pictureOf(order[1]);
    if (scaleOf(other) > scaleOf(best)) best = other;
  }
  if (wanted?.id !== id) return;
  byId("canvas").style.width = `${Math.round(best.width * Math.max(scaleOf(best), SMALLEST))}px`;
  if (shown?.picture !== best) put(best);
}

function put(picture) {
  const image = byId("picture");
  const before = image.src;
  image.src = URL.createObjectURL(new Blob([picture.svg], { type: "image/svg+xml" }));
  if (before) URL.revokeObjectURL(before);
  image.alt = picture.describes;
  image.width = picture.width;
  image.height = picture.height;
  const live = draw("svg", { class: "live", viewBox: `0 0 ${picture.width} ${picture.height}`, "aria-hidden": "true" });
  const nodes = new Map(picture.boxes.map((box) => [box.node, overlay(box)]));
  live.append(...[...nodes.values()].map((node) => node.group));
  byId("canvas").querySelector("svg")?.remove();
  byId("canvas").append(live);
  shown = { picture, nodes };
}

function overlay(box) {
  const group = draw("g", { class: box.kind });
  const middle = box.x + box.width / 2 + (box.kind === "model" ? 3 : 0);
  const title = draw("title");
  const over = draw("rect", { class: "over", x: box.x, y: box.y, width: box.width, height: box.height, rx: box.kind === "model" ? 2 : 14 });
  const queue = draw("rect", { class: "queue", x: box.x + 8, y: box.y + box.height - 5, width: 0, height: 2.5, rx: 1 });
  const told = draw("text", { class: "told", x: middle, y: box.y + box.height / 2 + 13 });
  const workers = draw("g");
  const waiting = draw("g");
  group.append(title, over, queue, told, workers, waiting);
  return { group, box, title, queue, told, workers, waiting };
}

/** Write the numbers of each node over its box. */
export function showLive(nodes) {
  if (!shown) return;
  for (const node of nodes) {
    const place = shown.nodes.get(node.name);
    if (place) showNode(place, node);
  }
}

function showNode(place, node) {
  const isShort = node.workers.ready < node.workers.least;
  const isBusy = node.rate > 0 || node.running > 0;
  const states = [place.box.kind, isBusy ? "busy" : "", isShort ? "short" : ""];
  place.group.setAttribute("class", words(states));
  tell(place.told, line(node));
  tell(place.title, `${node.name}: ${node.waiting} waiting, ${node.running} running, ${node.workers.ready} workers ready`);
  const fill = Math.min(1, node.queueSize ? node.waiting / node.queueSize : 0);
  place.queue.setAttribute("width", fill < LEAST_FILL ? "0" : ((place.box.width - 16) * fill).toFixed(1));
  if (changed(place.waiting, String(node.waiting))) showWaiting(place, node.waiting);
  if (changed(place.workers, JSON.stringify([node.workers, isShort]))) showWorkers(place, node.workers);
}

function line(node) {
  if (node.rate > 0) return `${count(node.rate)[0]}/s · ${words(milliseconds(node.latencyMs?.p50 ?? node.batchMs))}`;
  return node.running ? `${node.running} running` : "idle";
}

function changed(group, state) {
  if (group.dataset.state === state) return false;
  group.dataset.state = state;
  group.replaceChildren();
  return true;
}

function showWaiting({ box, waiting }, number) {
  if (number) pill(waiting, box.x + box.width - 6, box.y, count(number)[0], "count");
}

/** A word on the border of a box, which ends at `right`. */
function pill(group, right, y, text, kind) {
  const width = text.length * 7.2 + 12;
  group.append(
    draw("rect", { class: `pill ${kind}`, x: right - width, y: y - 9, width, height: 18, rx: 9 }),
    draw("text", { class: kind, x: right - width / 2, y: y + 4 }, text),
  );
}

function showWorkers({ box, workers }, { ready, starting, least }) {
  const open = Math.max(starting, least - ready);
  if (ready + open > MOST_DOTS) {
    const text = `${ready} workers`;
    pill(workers, box.x + 16 + text.length * 7.2 + 6, box.y, text, "many");
    return;
  }
  for (let at = 0; at < ready + open; at++) {
    const kind = at < ready ? "worker" : "worker starting";
    workers.append(draw("circle", { class: kind, cx: box.x + 18 + at * 11, cy: box.y, r: 4.4 }));
  }
}

new ResizeObserver(() => {
  if (wanted && room()) fit().catch(() => {});
}).observe(byId("holder"));
