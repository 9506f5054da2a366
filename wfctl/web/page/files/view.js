// Everything but the drawing and the trial: the list of workflows, the tiles, the nodes, the errors.

import { byId, keep, make, plot, spark, tell } from "./elements.js";
import { count, duration, milliseconds, words } from "./figures.js";

const isShort = (version) => version.nodes.some((node) => node.workers.ready < node.workers.least);

export const placeOf = (name, version) => `#${encodeURIComponent(name)}/${encodeURIComponent(version)}`;

export function showServer(server) {
  tell(byId("server-version"), server.version);
  tell(byId("state"), server.state);
  byId("state").className = `state ${server.state}`;
  tell(byId("uptime"), `up ${duration(server.uptimeS)}`);
}

export function showWorkflows(workflows, chosen) {
  keep(byId("workflows"), workflows, (each) => each.name, makeWorkflow, (item, workflow) => {
    const [link] = item.children;
    const [name, rate, more] = link.children;
    link.setAttribute("href", placeOf(workflow.name, workflow.default));
    if (workflow === chosen) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
    tell(name, workflow.name);
    tell(rate, workflow.rate === null ? "" : `${count(workflow.rate)[0]}/s`);
    const isBad = workflow.versions.some(isShort);
    tell(more, isBad ? "lacks workers" : versionsOf(workflow));
    more.classList.toggle("bad", isBad);
  });
}

const versionsOf = ({ versions, default: usual }) =>
  versions.length === 1 ? `version ${usual}` : `${versions.length} versions, default ${usual}`;

function makeWorkflow() {
  const parts = ["name", "rate", "more"].map((kind) => make("span", { class: kind }));
  return make("li", {}, make("a", {}, ...parts));
}

export function showTitle(workflow, version, choose) {
  tell(byId("name"), workflow.name);
  keep(byId("versions"), workflow.versions, (each) => each.version, (each) => {
    const button = make("button", { type: "button" });
    button.addEventListener("click", () => choose(workflow.name, each.version));
    return button;
  }, (button, each) => {
    button.setAttribute("aria-pressed", String(each === version));
    tell(button, each.version === workflow.default ? `${each.version} (default)` : each.version);
  });
  tell(byId("since"), `ready since ${new Date(version.since * 1000).toLocaleString()}`);
}

/** Each tile: what it is, its number with a unit, the last two minutes of it, and whether it is bad. */
export function showTiles(tiles) {
  keep(byId("tiles"), tiles, (each) => each.label, ({ label, title }) => {
    const tile = make("div", { title }, make("dt", {}, label), make("dd", {}, make("span"), make("small"), spark()));
    return tile;
  }, (tile, { parts, line, isBad }) => {
    const [value, unit, picture] = tile.querySelector("dd").children;
    tell(value, parts[0]);
    tell(unit, parts[1]);
    tile.classList.toggle("bad", Boolean(isBad));
    plot(picture, line);
  });
}

const COLUMNS = [
  ["Node", "", (node) => [node.name], "node"],
  ["Waiting", "Calls that wait for a worker, of as many as may", (node) => [count(node.waiting)[0], ` of ${count(node.queueSize)[0]}`]],
  ["Running", "Calls at workers, those handed ahead included", (node) => count(node.running)],
  ["Runs/s", "Runs in which the node succeeded, over the last seconds", (node) => count(node.rate)],
  ["p50", "From the queue to the answer, over the last minute", (node) => milliseconds(node.latencyMs?.p50), "times"],
  ["p99", "From the queue to the answer, over the last minute", (node) => milliseconds(node.latencyMs?.p99), "times"],
  ["Batch takes", "What a batch takes the handler at present", (node) => milliseconds(node.batchMs)],
  ["Mean batch", "Calls in a batch lately, of as many as it may have", (node) => [count(node.meanBatch)[0], ` of ${node.batchSize}`]],
  ["Workers", "Ready, of as many as there may be; lost are those that ended without being told to", (node) => [String(node.workers.ready), workersOf(node.workers)]],
  ["Failed", "Runs that the node failed", (node) => count(node.counts.failed)],
];

function workersOf({ most, starting, lost }) {
  return ` of ${most}${starting ? `, ${starting} starting` : ""}${lost ? `, ${lost} lost` : ""}`;
}

byId("node-columns").append(
  ...COLUMNS.map(([label, title, , kind]) => make("th", { scope: "col", title, class: kind === "times" ? kind : "" }, label)),
);

export function showNodes(nodes) {
  const rows = nodes.flatMap((node) => (node.lastFailure ? [node, { ...node, isWhy: true }] : [node]));
  byId("nodes").parentElement.classList.toggle("no-times", nodes.every((node) => !node.latencyMs));
  keep(byId("nodes"), rows, (node) => (node.isWhy ? "why " : "is ") + node.name, makeRow, showRow);
}

function makeRow(node) {
  if (node.isWhy) return make("tr", { class: "why" }, make("td", { colspan: String(COLUMNS.length) }));
  const cells = COLUMNS.map(([label, , , kind]) =>
    make("td", { "data-label": label, class: kind ?? "" }, make("span"), make("small")));
  return make("tr", {}, ...cells);
}

function showRow(row, node) {
  if (node.isWhy) return tell(row.firstChild, `A worker did not start: ${node.lastFailure}`);
  row.className = node.kind;
  COLUMNS.forEach(([, , parts], at) => {
    const [value, unit = ""] = parts(node);
    const [main, small] = row.children[at].children;
    tell(main, value);
    tell(small, unit && !unit.startsWith(" ") ? ` ${unit}` : unit);
  });
  row.children[1].classList.toggle("warned", node.waiting > 0);
  row.children[8].classList.toggle("bad", node.workers.ready < node.workers.least);
  row.children[9].classList.toggle("bad", node.counts.failed > 0);
  return undefined;
}

export function showErrors(errors) {
  byId("no-errors").hidden = errors.length > 0;
  const nameOf = (each) => JSON.stringify([each.workflow, each.node, each.status, each.message]);
  keep(byId("errors"), errors, nameOf, () => {
    const where = make("span", { class: "where" });
    return make("li", {}, make("time"), make("span", { class: "badge bad" }), where, make("p"));
  }, (item, each) => {
    const [time, badge, where, message] = item.children;
    const at = new Date(each.at * 1000);
    time.dateTime = at.toISOString();
    time.title = at.toLocaleString();
    tell(time, at.toLocaleTimeString());
    tell(badge, String(each.status));
    tell(where, words([[each.workflow || "management", each.node].filter(Boolean).join(" / "), each.count > 1 ? `× ${each.count}` : ""]));
    tell(message, each.message);
  });
}
