// Trying an input: what was sent, and what came of it.

import { byId, keep, make, tell } from "./elements.js";
import { bytes, milliseconds, words } from "./figures.js";
import { pathOf, send } from "./server.js";

const LONGEST = 200000;
const SHORT = 64;
let running = null;
let links = [];

/** Offer every version of every workflow; the one that is shown is chosen until the person chooses. */
export function offer(workflows, workflow, version) {
  const select = byId("trial-workflow");
  const options = workflows.flatMap((each) =>
    each.versions.map((one) => ({ value: JSON.stringify([each.name, one.version]), text: words([each.name, one.version]) })));
  keep(select, options, (each) => each.value, (each) => make("option", { value: each.value }), (option, each) => tell(option, each.text));
  const current = workflow ? JSON.stringify([workflow.name, version.version]) : "";
  if (select.dataset.followed !== current) {
    select.dataset.followed = current;
    select.value = current;
  }
}

const form = byId("trial-form");
const file = byId("trial-file");

form.addEventListener("submit", (event) => {
  event.preventDefault();
  run();
});
byId("trial-text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
byId("trial-stop").addEventListener("click", () => running?.abort());
file.addEventListener("change", () => {
  if (file.files[0]?.type) byId("trial-type").value = file.files[0].type;
  showChosen();
});
byId("trial-drop").addEventListener("click", () => {
  file.value = "";
  showChosen();
  file.focus();
});

function showChosen() {
  const chosen = file.files[0];
  tell(byId("trial-chosen"), chosen ? `${chosen.name}, ${bytes(chosen.size)}` : "or write the input above");
  byId("trial-drop").hidden = !chosen;
  byId("trial-text").disabled = Boolean(chosen);
}

async function run() {
  const value = byId("trial-workflow").value;
  if (running || !value) return;
  const [workflow, version] = JSON.parse(value);
  running = new AbortController();
  setRunning(true);
  const begun = performance.now();
  try {
    const type = byId("trial-type").value.trim();
    const headers = type ? { "Content-Type": type } : {};
    const body = file.files[0] ?? byId("trial-text").value;
    const sent = type ? new Blob([body]) : body;
    const response = await send(pathOf(workflow, version, "try"), { method: "POST", body: sent, headers, signal: running.signal });
    const answer = await response.blob();
    await show(response, answer, performance.now() - begun);
  } catch (error) {
    showHead([make("span", { class: "badge bad" }, error.name === "AbortError" ? "stopped" : "no answer"), error.message]);
    fill();
  } finally {
    running = null;
    setRunning(false);
  }
}

function setRunning(isRunning) {
  byId("trial-run").disabled = isRunning;
  byId("trial-stop").hidden = !isRunning;
}

async function show(response, answer, took) {
  const type = response.headers.get("content-type") ?? "";
  const inside = /dur=([0-9.]+)/.exec(response.headers.get("server-timing") ?? "");
  const times = `${words(milliseconds(took))}${inside ? `, ${words(milliseconds(Number(inside[1])))} of it in the server` : ""}`;
  const status = make("span", { class: response.ok ? "badge" : "badge bad" }, String(response.status));
  showHead([status, times, make("span", { class: "quiet" }, words([bytes(answer.size), type && `of ${type}`]))]);
  const kind = type.split(";")[0].trim().toLowerCase();
  if (kind.startsWith("image/")) return fill(image(answer, kind));
  const text = answer.size > 50 * LONGEST ? null : await plainText(answer);
  if (text === null) return fill(download(answer));
  const shown = indented(text);
  const cut = shown.length > LONGEST;
  return fill(make("pre", { tabindex: "0" }, cut ? shown.slice(0, LONGEST) : shown), ...(cut ? [download(answer)] : []));
}

/** The answer as text, null if it is none. */
async function plainText(answer) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await answer.arrayBuffer());
  } catch {
    return null;
  }
}

function link(blob) {
  const made = URL.createObjectURL(blob);
  links.push(made);
  return made;
}

function image(answer, kind) {
  // As an image nothing in it runs, an SVG's script neither.
  const shown = make("img", { alt: "the answer" });
  shown.addEventListener("error", () => fill(make("p", { class: "quiet" }, "This is no image that the browser knows."), download(answer)));
  shown.src = link(new Blob([answer], { type: kind }));
  return shown;
}

function download(answer) {
  return make("a", { href: link(new Blob([answer], { type: "application/octet-stream" })), download: "answer" }, `Save the answer, ${bytes(answer.size)}`);
}

function showHead(parts) {
  byId("answer").hidden = false;
  byId("answer-head").replaceChildren(...parts.map((part) => (typeof part === "string" ? make("span", {}, part) : part)));
}

function fill(...children) {
  const before = links.splice(0, Math.max(0, links.length - children.length));
  byId("answer-body").replaceChildren(...children);
  before.forEach((each) => URL.revokeObjectURL(each));
}

/** JSON set out in lines; its numbers and texts stay as they were written, which parsing would not leave them. */
export function indented(text) {
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  const joined = (token) => (token === "," ? ", " : token === ":" ? ": " : token);
  const lines = [""];
  const write = (word) => (lines[lines.length - 1] += word);
  let depth = 0;
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at];
    const indent = () => lines.push("  ".repeat(depth));
    if ("{[".includes(token)) {
      const short = shortGroup(tokens, at);
      if (short) {
        write(tokens.slice(at, short + 1).map(joined).join(""));
        at = short;
      } else {
        write(token);
        depth += 1;
        indent();
      }
    } else if ("}]".includes(token)) {
      depth -= 1;
      indent();
      write(token);
    } else if (token === ",") {
      write(token);
      indent();
    } else {
      write(joined(token));
    }
  }
  return lines.join("\n");
}

/** Where a list or an object ends that fits on one line; 0 for one that does not. */
function shortGroup(tokens, begin) {
  let [depth, length] = [0, 0];
  for (let at = begin; at < tokens.length && length <= SHORT; at++) {
    length += tokens[at].length + 1;
    if ("{[".includes(tokens[at])) depth += 1;
    if ("}]".includes(tokens[at])) depth -= 1;
    if (!depth) return at;
  }
  return 0;
}
