// What every room uses: elements, requests, messages, and the program's state as it was last told.

export const $ = (id) => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// ---- messages: the thing, the cause, and the command that mends it, which can be copied

const PROGRAMS = "sudo|systemctl|pip|pipx|uv|apt|chmod|flatpak|snap|python3?|"
  + "realtime-bg(?= (?:models|setup|doctor|devices|config|serve|daemon|ctl|install-service|-))";
const COMMAND = new RegExp(`\`([^\`]+)\`|(?<![\\w/-])((?:${PROGRAMS}) [^;()\`\\n]*[^;()\`\\s])`, "g");

/** The text as nodes, with its commands as code and a button that copies each. */
export function withCommands(text) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(COMMAND)) {
    const command = match[1] ?? match[2];
    const copy = make("button", { type: "button", className: "small", textContent: "Copy" });
    copy.addEventListener("click", async () => {
      await navigator.clipboard?.writeText(command);
      copy.textContent = "✓";
      setTimeout(() => { copy.textContent = "Copy"; }, 1500);
    });
    nodes.push(text.slice(from, match.index), make("code", { textContent: command }), " ", copy);
    from = match.index + match[0].length;
  }
  return [...nodes, text.slice(from)];
}

/** Show a message until it is closed; `sticky`: also until another one comes. */
export function say(text, sticky = false) {
  $("message").dataset.sticky = sticky;
  const close = make("button", { type: "button", className: "small", textContent: "Close" });
  close.addEventListener("click", () => say(""));
  $("message").replaceChildren(make("p", {}, ...withCommands(text)), close);
  $("message").hidden = !text;
}

// ---- asking the server

const SILENT = "The program does not respond. Is it still running?";

function reasonOf(text, status) {
  try {
    return JSON.parse(text).error;
  } catch {
    return text || `Error ${status}`;
  }
}

/** The answer, or an Error whose message is the reason; `quiet` leaves saying it to the caller. */
export async function ask(path, { quiet = false, ...options } = {}) {
  if (!quiet && $("message").dataset.sticky !== "true") say("");
  let answer, reason;
  try {
    answer = await fetch(path, options);
    reason = answer.ok ? "" : reasonOf(await answer.text(), answer.status);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    reason = SILENT;
  }
  if (!reason) return answer;
  if (!quiet) say(reason);
  throw new Error(reason);
}

export const sent = (method, value) => ({
  method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(value),
});

/** Like `ask` with a form, and tells how much of it has been sent, in percent. */
export function upload(path, form, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.upload.addEventListener("progress", ({ loaded, total }) => progress(100 * loaded / total));
    request.addEventListener("error", () => reject(new Error(SILENT)));
    request.addEventListener("load", () => {
      if (request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(new Error(reasonOf(request.responseText, request.status)));
    });
    request.send(form);
  });
}

export function save(url, name) {
  make("a", { href: url, download: name }).click();
}

// ---- what the program says: the only state that counts

const listeners = {};
export const state = {};

/** Call `listener(value)` whenever the program tells a new value of `kind`. */
export function on(kind, listener) {
  (listeners[kind] ??= []).push(listener);
  if (kind in state) listener(state[kind]);
}

export function tell(kind, value) {
  state[kind] = value;
  for (const listener of listeners[kind] ?? []) listener(value);
}

const gone = { running: false, fps: 0, latency_ms: 0, cpu_percent: 0, refused: {}, problem: "" }; // what holds when it is gone
const GONE = "The program does not respond. Start it again: `realtime-bg serve --open`; if it runs, open the "
  + "address that it printed.";

const saysGone = () => !$("message").hidden && $("message").textContent.startsWith(GONE.slice(0, 20));

export function listen(wait = 500) {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/events`);
  socket.addEventListener("open", () => {
    if (saysGone()) say("");
  });
  socket.addEventListener("message", (event) => {
    wait = 500;
    const { type, value } = JSON.parse(event.data);
    tell(type, value);
  });
  socket.addEventListener("close", () => {
    tell("stats", { ...gone });
    if (!saysGone()) say(GONE, true);
    setTimeout(() => listen(Math.min(wait * 2, 10000)), wait);
  });
}

/** The value at "section.key" of a settings tree. */
export const valueAt = (tree, key) => key.split(".").reduce((at, part) => at?.[part], tree);

/** The settings tree of `{"section.key": value}`. */
export function treeOf(changes) {
  const tree = {};
  for (const [key, value] of Object.entries(changes)) {
    const parts = key.split("."), last = parts.pop();
    parts.reduce((at, part) => (at[part] ??= {}), tree)[last] = value;
  }
  return tree;
}

/** `call` at most every `pause` milliseconds, the last time with the newest arguments. */
export function throttled(call, pause) {
  let timer = null, waiting = null;
  const run = () => {
    timer = null;
    if (waiting) { const given = waiting; waiting = null; timer = setTimeout(run, pause); call(...given); }
  };
  return (...given) => { waiting = given; if (timer === null) run(); };
}
