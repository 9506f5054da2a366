// Asks once a second while somebody looks, and has everything shown.

import { showGraph, showLive } from "./drawing.js";
import { byId, plain, tell } from "./elements.js";
import { count, Memory, milliseconds } from "./figures.js";
import { ask, key, KeyWanted } from "./server.js";
import { offer } from "./trial.js";
import { placeOf, showErrors, showNodes, showServer, showTiles, showTitle, showWorkflows } from "./view.js";

const EVERY_MS = 1000;

const memory = new Memory();
let timer = 0;
let isAsking = false;
let last = null;

async function turn() {
  clearTimeout(timer);
  if (isAsking || document.visibilityState === "hidden") return;
  isAsking = true;
  try {
    last = measured(await ask("status"));
    last.at = new Date();
    setNotice("");
    show();
  } catch (error) {
    if (error instanceof KeyWanted) {
      askForKey();
      return;
    }
    complain(error);
  } finally {
    isAsking = false;
  }
  timer = setTimeout(turn, EVERY_MS);
}

/** Add what is only seen over time: rates, means, and the course of each tile. */
function measured(told) {
  const { clockS } = told.server;
  memory.begin();
  for (const workflow of told.workflows) {
    const { name, answered, failed } = workflow;
    const course = memory.course(JSON.stringify([name]), clockS, { answered, failed });
    workflow.rate = course.rate("answered");
    workflow.failedRate = course.rate("failed");
    const line = (what, value) => memory.line(JSON.stringify([name, what]), value);
    workflow.lines = {
      rate: line("rate", workflow.rate),
      p50: line("p50", workflow.latencyMs?.p50),
      p99: line("p99", workflow.latencyMs?.p99),
      failed: line("failed", workflow.failedRate),
    };
    for (const version of workflow.versions) measureVersion(workflow, version, clockS);
  }
  memory.end();
  return told;
}

function measureVersion(workflow, version, clockS) {
  const line = (what, value) => memory.line(JSON.stringify([workflow.name, version.version, what]), value);
  version.waiting = version.nodes.reduce((sum, node) => sum + node.waiting, 0);
  version.lines = { inFlight: line("inFlight", version.inFlight), waiting: line("waiting", version.waiting) };
  for (const node of version.nodes) {
    const { done, batches, calls } = node.counts;
    const name = JSON.stringify([workflow.name, version.version, version.since, node.name]);
    const course = memory.course(name, clockS, { done, batches, calls });
    node.rate = course.rate("done");
    node.meanBatch = course.share("calls", "batches");
  }
}

function chosen() {
  const [name, number] = location.hash.slice(1).split("/").map(decoded);
  const workflow = last.workflows.find((each) => each.name === name) ?? last.workflows[0];
  if (!workflow) return [];
  const find = (wanted) => workflow.versions.find((each) => each.version === wanted);
  return [workflow, (workflow.name === name && find(number)) || find(workflow.default) || workflow.versions[0]];
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

function show() {
  byId("house").hidden = false;
  byId("key-form").hidden = true;
  byId("forget-key").hidden = !last.server.takesKeys;
  const [workflow, version] = chosen();
  document.title = workflow ? `${plain(workflow.name)} · wfctl` : "wfctl";
  showServer(last.server);
  showWorkflows(last.workflows, workflow);
  showErrors(last.errors);
  offer(last.workflows, workflow, version);
  byId("nothing").hidden = Boolean(workflow);
  byId("workflow").hidden = !workflow;
  byId("trial").hidden = !workflow;
  if (!workflow) return;
  showTitle(workflow, version, (name, number) => location.assign(placeOf(name, number)));
  showTiles(tilesOf(workflow, version));
  showNodes(version.nodes);
  showGraph(workflow, version).then(() => showLive(version.nodes), complain);
}

function tilesOf(workflow, version) {
  const { latencyMs, lines } = workflow;
  return [
    { label: "Runs/s", title: "Requests that were answered without an error, over the last seconds", parts: count(workflow.rate), line: lines.rate },
    { label: "p50", title: "Half of the requests of the last minute were answered in this time", parts: milliseconds(latencyMs?.p50), line: lines.p50 },
    { label: "p99", title: "99 of 100 requests of the last minute were answered in this time", parts: milliseconds(latencyMs?.p99), line: lines.p99 },
    { label: "In flight", title: "Runs that are not settled", parts: count(version.inFlight), line: version.lines.inFlight },
    { label: "Waiting", title: "Calls that wait for a worker, at all nodes together", parts: count(version.waiting), line: version.lines.waiting },
    { label: "Failed", title: "Requests that were answered with an error since the server started", parts: [count(workflow.failed)[0], workflow.failedRate ? `${count(workflow.failedRate)[0]}/s` : ""], line: lines.failed, isBad: workflow.failedRate > 0 },
  ];
}

// What can go wrong

function complain(error) {
  setNotice(`${error.message}${last ? ` The numbers are of ${last.at.toLocaleTimeString()}.` : ""}`);
}

function setNotice(text) {
  tell(byId("notice"), text);
  byId("notice").hidden = !text;
  document.body.classList.toggle("stale", Boolean(text && last));
  if (text) {
    byId("state").className = "state lost";
    tell(byId("state"), "no answer");
  }
}

function askForKey() {
  const had = Boolean(key.get());
  key.forget();
  setNotice("");
  byId("house").hidden = true;
  byId("forget-key").hidden = true;
  byId("key-form").hidden = false;
  byId("key-wrong").hidden = !had;
  tell(byId("key-wrong"), had ? "The server does not take this key. It may have run out." : "");
  byId("key").focus();
}

byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  // A key is sent in a header, which takes no other characters: one that has them was not copied well.
  key.set(byId("key").value.replace(/[^\x21-\x7e]/g, ""));
  byId("key").value = "";
  turn();
});
byId("forget-key").addEventListener("click", () => {
  key.forget();
  last = null;
  turn();
});
addEventListener("hashchange", () => last && show());
document.addEventListener("visibilitychange", turn);
turn();
