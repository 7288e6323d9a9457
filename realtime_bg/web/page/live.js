// The live room: the start card, the large picture, and what can be done with it.

import { gallery, addPicture } from "/static/backgrounds.js";
import { $, ask, make, on, save, say, sent, state, tell, throttled, valueAt, withCommands } from "/static/core.js";
import { framing } from "/static/framing.js";
import { light } from "/static/light.js";
import { look } from "/static/look.js";
import { change } from "/static/settings.js";

const SIZES = ["640x360", "640x480", "1280x720", "1920x1080"];
const NOTICE = 15000; // milliseconds for which the page shows a notice
const RATES = [15, 24, 30, 60];

// ---- the start card

const options = (select, pairs) => select.replaceChildren(...pairs.map(([value, textContent]) =>
  make("option", { value, textContent })));

async function startCard() {
  const cameras = await (await ask("/api/cameras")).json();
  options($("camera-choice"), cameras.map(({ spec, name }) => [spec, name]));
  options($("camera-size"), [["", "automatic"], ...SIZES.map((size) => [size, size.replace("x", " × ")])]);
  options($("camera-rate"), [["", "automatic"], ...RATES.map((rate) => [rate, `${rate} per second`])]);
}

async function start(event) {
  event.preventDefault();
  const wanted = { on: true, camera: $("camera-choice").value };
  if ($("camera-size").value) wanted.size = $("camera-size").value;
  if ($("camera-rate").value) wanted.fps = Number($("camera-rate").value);
  $("camera").disabled = true;
  try {
    tell("stats", await (await ask("/api/live", sent("POST", wanted))).json());
  } catch { /* said */ }
  $("camera").disabled = false;
}

async function stop() {
  tell("stats", await (await ask("/api/live", sent("POST", { on: false }))).json());
}

// ---- the picture

function watch() {
  const wanted = Boolean(state.stats?.running) && !$("live").hidden && !document.hidden;
  if (wanted === !$("stream").hidden) return;
  $("stream").hidden = !wanted;
  if (wanted) $("stream").src = `/api/live/stream?${Date.now()}`;
  else $("stream").removeAttribute("src"); // ends the connection
}

function example(spec) { // before the camera runs: the demo's person over the chosen background
  const name = /^(#|colour)/.test(spec) || CSS.supports("color", spec) ? "transparent" : spec;
  const url = `/api/backgrounds/${encodeURIComponent(name)}/thumbnail?large=true`;
  if ($("example").dataset.url === url && $("example").style.backgroundColor === spec) return;
  $("example").dataset.url = url;
  $("example").style.backgroundColor = name === "transparent" ? spec : "";
  if (!/[\\/]/.test(name)) $("example").src = url;
  else $("example").removeAttribute("src"); // a file of the program's
}

// ---- comparing with the picture before a change: only finished pictures, never the camera's

function compare(wanted) {
  const { naturalWidth: width, naturalHeight: height } = $("stream");
  if (wanted && !width) { say("There is no picture to compare with yet."); return; }
  if (wanted) {
    Object.assign($("kept"), { width, height });
    $("kept").getContext("2d").drawImage($("stream"), 0, 0);
  }
  for (const id of ["kept", "divider", "handle", "sides"]) $(id).hidden = !wanted;
  if (wanted) {
    shown = { text: "The left side keeps this picture. Change something, and move the line.", until: Date.now() + NOTICE };
  }
  $("compare").setAttribute("aria-pressed", wanted);
  divide();
}

function divide() {
  $("stage").style.setProperty("--cut", `${$("divider").value}%`);
  $("divider").setAttribute("aria-valuetext", `${$("divider").value} percent`);
}

async function snapshot() {
  const blob = await (await ask("/api/snapshot", { method: "POST" })).blob();
  const url = URL.createObjectURL(blob), name = `realtime-bg-${new Date().toTimeString().slice(0, 8).replaceAll(":", "")}.png`;
  save(url, name);
  shown = { text: `${name} is among the downloads of this browser.`, until: Date.now() + NOTICE };
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

// ---- what the program says

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
const KEYS = { "output.virtualcam": "The virtual camera", "output.record": "The recording",
  "engine.name": "The engine", "background.current": "The background", "source.spec": "The camera" };
let refusals = null; // those that were said; null before the program has told any

function refused(now) { // each is said once, until it is tried again
  for (const [key, reason] of Object.entries(now)) {
    if (refusals && refusals[key] !== reason) say(`${KEYS[key] ?? key}: ${reason}`, true);
  }
  refusals = { ...now };
}

let shown = { text: "", until: 0 }; // a notice stays longer than the program has it

function notice({ notice: text = "", refused: problems = {} }) {
  const useless = /^threshold /.test(text) || Object.values(problems).some((one) => text.includes(one));
  if (text && !useless) {
    shown = { text: text[0].toUpperCase() + text.slice(1), until: Date.now() + NOTICE };
  }
  return Date.now() < shown.until ? shown.text : "";
}

function engineNote(stats) {
  const wanted = state.settings?.engine.name;
  const auto = $("live-engine").querySelector("[value=auto]");
  if (auto) auto.textContent = stats.engine && wanted === "auto" ? `auto (now ${stats.engine})` : "auto";
  const other = stats.running && stats.engine && !["auto", stats.engine].includes(wanted) && stats.engine !== "loading";
  $("engine-note").hidden = !other;
  $("engine-note").textContent = other ? `${stats.engine} runs, because ${wanted} does not work at the moment.` : "";
}

function showStats(stats) {
  const { running } = stats;
  $("start").hidden = running;
  $("actions").hidden = !running;
  $("example").hidden = running;
  $("fps").textContent = running ? stats.fps.toFixed(1) : "0";
  $("latency").textContent = `${running ? stats.latency_ms.toFixed(0) : 0} ms`;
  $("cpu").textContent = `${stats.cpu_percent} % of a core`;
  $("engine-now").textContent = running ? `${stats.engine}${stats.provider ? ` on ${stats.provider}` : ""}` : "none";
  $("cameras").textContent = (stats.cameras ?? []).join(" ");
  $("cameras").parentElement.hidden = !$("cameras").textContent;
  const text = [notice(stats), running && stats.shows_camera ? "The room is shown as it is." : ""].filter(Boolean).join(" ");
  if ($("live-status").textContent !== text) $("live-status").textContent = text;
  const words = stats.problem || (running && !$("stream").naturalWidth ? "One moment …" : "");
  if ($("screen-text").dataset.text !== words) {
    $("screen-text").dataset.text = words;
    $("screen-text").replaceChildren(...withCommands(words));
  }
  $("badge-record").hidden = !stats.recording;
  $("badge-record").textContent = `recording ${clock(stats.recorded_seconds ?? 0)}`;
  $("record").textContent = stats.recording ? "Stop recording" : "Record";
  $("badge-example").hidden = running;
  $("figures").hidden = !running;
  $("tab-live").classList.toggle("running", running);
  if (!running && $("compare").getAttribute("aria-pressed") === "true") compare(false);
  refused(stats.refused ?? {});
  engineNote(stats);
  watch();
}

/** Set up the room. Returns what other modules need of it. */
export async function begin(engines) {
  const pick = (spec, gesture) => change({ "background.current": spec }, gesture).catch(() => {});
  const backgrounds = gallery($("live-backgrounds"), ["blur", "none"], throttled(pick, 60));
  const sliders = look($("live-look"), throttledByKey((key, value, gesture) =>
    change({ [key]: value }, gesture).catch(() => {})));
  const lamp = light($("live-light"), throttledByKey((key, value, gesture) =>
    change({ [key]: value }, gesture).catch(() => {})));
  framing($("live-framing"), throttledByKey((key, value, gesture) =>
    change({ [key]: value }, gesture).catch(() => {})));
  options($("live-engine"), ["auto", ...engines].map((name) => [name, name]));
  $("live-engine").addEventListener("change", (event) => change({ "engine.name": event.target.value }).catch(() => {}));
  on("settings", (settings) => {
    backgrounds.set(settings.background.current, settings.background.items);
    sliders.set((key) => valueAt(settings, key));
    lamp.set((key) => valueAt(settings, key));
    example(settings.background.current);
    $("badge-paused").hidden = !settings.paused;
    $("badge-frozen").hidden = !settings.frozen;
    if (document.activeElement !== $("live-engine")) $("live-engine").value = settings.engine.name;
  });
  $("start").addEventListener("submit", start);
  $("stop").addEventListener("click", () => stop().catch(() => {}));
  $("snapshot").addEventListener("click", () => snapshot().catch(() => {}));
  $("compare").addEventListener("click", () => compare($("kept").hidden));
  $("divider").addEventListener("input", divide);
  $("stream").addEventListener("error", () => { $("stream").hidden = true; $("stream").removeAttribute("src"); });
  document.addEventListener("visibilitychange", watch);
  await startCard();
  on("stats", showStats);
  on("tried", (keys) => { for (const key of keys) delete refusals?.[key]; });
  return {
    shown: watch,
    snapshot,
    take: ([file]) => addPicture(file, pick), // dropped or pasted
  };
}

function throttledByKey(call) { // one slider must not swallow what another has sent
  const calls = {};
  return (key, ...rest) => (calls[key] ??= throttled((...given) => call(key, ...given), 60))(...rest);
}
