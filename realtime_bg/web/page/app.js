// Starts the page: the tabs, the rooms, and where files go that are dropped or pasted.

import { refresh } from "/static/backgrounds.js";
import { $, ask, listen, make, say, tell } from "/static/core.js";
import * as keys from "/static/keys.js";
import * as live from "/static/live.js";
import * as photo from "/static/photo.js";
import * as plot from "/static/plot.js";
import * as layers from "/static/layers.js";
import * as presets from "/static/presets.js";
import * as settings from "/static/settings.js";
import * as video from "/static/video.js";

const tabs = [...document.querySelectorAll("[role=tab]")];
const rooms = {};

function choose(tab) {
  for (const one of tabs) {
    const chosen = one === tab;
    one.setAttribute("aria-selected", chosen);
    one.tabIndex = chosen ? 0 : -1;
    $(one.getAttribute("aria-controls")).hidden = !chosen;
  }
  history.replaceState(null, "", `#${tab.getAttribute("aria-controls")}`);
  rooms.live.shown();
}

function arrows(tab, index) {
  tab.addEventListener("click", () => choose(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(index + step + tabs.length) % tabs.length];
    next.focus();
    choose(next);
  });
}

/** Files go to the room that is shown: a background, photos, or videos. */
function take(files) {
  if (!files.length) return;
  const name = Object.keys(rooms).find((one) => !$(one).hidden);
  const kind = name === "video" ? "video/" : "image/";
  const fitting = [...files].filter(({ type }) => type.startsWith(kind) || !type);
  if (fitting.length) rooms[name].take(fitting);
  else say(name === "video" ? "This is no video. Photos go to the tab Photo." : "This is no picture. Videos go to the tab Video.");
}

function dropAndPaste() {
  let inside = 0; // a drag enters children before it leaves their parent
  const shown = () => document.body.classList.toggle("dragging", inside > 0);
  document.addEventListener("dragenter", (event) => { inside += 1; event.preventDefault(); shown(); });
  document.addEventListener("dragleave", () => { inside -= 1; shown(); });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    inside = 0;
    shown();
    if (!event.target.closest(".backgrounds")) take(event.dataTransfer.files); // the gallery takes its own
  });
  document.addEventListener("paste", (event) => take(event.clipboardData.files));
}

const about = await (await ask("/api/about")).json();
$("version").textContent = `realtime-bg ${about.version}`;
for (const select of document.querySelectorAll("select.engines")) {
  select.append(make("option", { value: "", textContent: "as started" }),
    ...["auto", ...about.engines].map((name) => make("option", { value: name, textContent: name })));
}
tell("settings", await (await ask("/api/settings")).json());
await refresh();
settings.begin();
rooms.live = await live.begin(about.engines);
rooms.photo = photo.begin();
rooms.video = video.begin();
layers.begin();
presets.begin();
plot.begin();
keys.begin(about.keys, rooms.live);
dropAndPaste();
tabs.forEach(arrows);
choose($(`tab-${location.hash.slice(1)}`) ?? tabs[0]);
listen();
document.body.dataset.ready = "yes";
