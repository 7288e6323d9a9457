// The page: each part below is one tab. The server's answers are the only state that counts.

const $ = (id) => document.getElementById(id);
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

// ---- asking the server

function say(text) {
  $("message").textContent = text;
  $("message").hidden = !text;
}

async function ask(path, options = {}) {
  say("");
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    say("The program does not respond. Is it still running?");
    throw new Error("no answer");
  }
  if (!answer.ok) {
    const text = await answer.text();
    let reason = text;
    try { reason = JSON.parse(text).error; } catch { /* plain text */ }
    say(reason || `Error ${answer.status}`);
    throw new Error(reason);
  }
  return answer;
}

const sent = (method, value) => ({
  method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(value),
});
const change = async (settings) => show.settings(
  await (await ask("/api/settings", sent("PATCH", settings))).json());

// ---- tabs

const tabs = [...document.querySelectorAll("[role=tab]")];

function choose(tab) {
  for (const one of tabs) {
    const chosen = one === tab;
    one.setAttribute("aria-selected", chosen);
    one.tabIndex = chosen ? 0 : -1;
    $(one.getAttribute("aria-controls")).hidden = !chosen;
  }
  history.replaceState(null, "", `#${tab.getAttribute("aria-controls")}`);
  watch();
}

tabs.forEach((tab, index) => {
  tab.addEventListener("click", () => choose(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(index + step + tabs.length) % tabs.length];
    next.focus();
    choose(next);
  });
});

// ---- the form that photo and video have in common

const BUILT_IN = ["beach", "office", "studio", "gradient"];

function choices(fieldset) {
  const name = `background-${fieldset.dataset.for}`;
  const radio = (value, ...rest) => make("label", {},
    make("input", { type: "radio", name, value, checked: value === "transparent" }), ...rest);
  const built = make("select", { ariaLabel: "Built-in background" },
    ...BUILT_IN.map((one) => make("option", { value: one, textContent: one })));
  const color = make("input", { type: "color", value: "#00b140", ariaLabel: "Colour" });
  const file = make("input", { type: "file", accept: "image/*", ariaLabel: "Background picture" });
  fieldset.append(radio("transparent", "Transparent"), radio("blur", "Blurred"),
    radio("built-in", "Built-in"), built, radio("color", "Colour", color), radio("file", "Picture"), file);
  const pick = (value) => { fieldset.querySelector(`[value="${value}"]`).checked = true; };
  for (const kind of ["change", "click"]) built.addEventListener(kind, () => pick("built-in"));
  color.addEventListener("input", () => pick("color"));
  file.addEventListener("change", () => pick("file"));
  return (form) => {
    const chosen = fieldset.querySelector("input[type=radio]:checked").value;
    if (chosen === "color") form.append("color", color.value);
    else if (chosen === "built-in") form.append("style", built.value);
    else if (chosen === "file") {
      if (!file.files[0]) { say("Choose a picture for the background first."); file.focus(); return false; }
      form.append("background", file.files[0]);
    } else form.append("style", chosen);
    return true;
  };
}

function wholeForm(form, field, submit) {
  const input = form.querySelector(".drop input"), drop = form.querySelector(".drop");
  const text = drop.querySelector("span"), empty = text.innerHTML, button = form.querySelector("[type=submit]");
  const fill = choices(form.querySelector(".choice"));
  const named = () => {
    const file = input.files[0];
    button.disabled = !file;
    if (file) text.textContent = file.name; else text.innerHTML = empty;
  };
  input.addEventListener("change", named);
  form.addEventListener("reset", () => setTimeout(named));
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", kind === "dragenter" || kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files.length) { input.files = event.dataTransfer.files; named(); }
    });
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const data = new FormData();
    data.append(field, input.files[0]);
    const engine = form.querySelector(".engines").value;
    if (engine) data.append("engine", engine);
    if (!fill(data)) return;
    button.disabled = true;
    try { await submit(data, input.files[0]); } catch { /* said already */ } finally { button.disabled = !input.files[0]; }
  });
}

// ---- photo

let urls = [];
const forget = () => { urls.forEach((url) => URL.revokeObjectURL(url)); urls = []; };

function cut(percent) {
  document.querySelector(".compare").style.setProperty("--cut", `${percent}%`);
  $("slider").setAttribute("aria-valuetext", `${percent} percent`);
}

wholeForm($("photo-form"), "image", async (data, file) => {
  $("photo-status").textContent = "Cutting out …";
  try {
    const answer = await ask("/api/image", { method: "POST", body: data });
    forget();
    urls = [URL.createObjectURL(await answer.blob()), URL.createObjectURL(file)];
    [$("after").src, $("before").src] = urls;
    $("download").href = urls[0];
    $("download").download = `${file.name.replace(/\.[^.]*$/, "")}-cut-out.png`;
    await $("after").decode();
    $("compare").hidden = false;
    $("photo-hint").hidden = true;
    $("photo-status").textContent = "Done.";
  } catch (error) {
    $("photo-status").textContent = "";
    throw error;
  }
});
$("photo-form").addEventListener("reset", () => {
  forget();
  say("");
  $("compare").hidden = true;
  $("photo-hint").hidden = false;
  $("photo-status").textContent = "";
});
$("slider").addEventListener("input", (event) => cut(event.target.value));
$("before").addEventListener("error", () => { $("before").removeAttribute("src"); }); // HEIC, TIFF

// ---- video

wholeForm($("video-form"), "video", async (data) => {
  $("video-status").textContent = "Sending …";
  try {
    await ask("/api/jobs", { method: "POST", body: data });
    $("video-status").textContent = "The video is in the queue.";
  } catch (error) {
    $("video-status").textContent = "";
    throw error;
  }
});

function jobItem(job) {
  const going = job.state === "queued" || job.state === "running";
  const item = make("li", {}, make("span", { textContent: job.state }));
  item.dataset.id = job.id;
  item.dataset.state = job.state;
  if (going) {
    item.append(make("progress", { max: 100, ariaLabel: "Progress" }), make("span", { className: "count" }));
    progress(item, job);
  }
  if (job.state === "done") {
    item.append(make("a", { className: "button main", href: `/api/jobs/${job.id}/result`, download: job.name, textContent: "Download" }));
  }
  const remove = make("button", { type: "button", textContent: going ? "Cancel" : "Delete" });
  remove.addEventListener("click", () => ask(`/api/jobs/${job.id}`, { method: "DELETE" }).catch(() => {}));
  item.append(remove);
  if (job.error) item.append(make("span", { className: "bad", textContent: job.error }));
  return item;
}

function progress(item, job) {
  const count = item.querySelector(".count");
  if (!count) return;
  if (job.total) item.querySelector("progress").value = Math.min(100, 100 * job.done / job.total);
  count.textContent = `${job.done} of ${job.total ?? "?"} frames, ${job.fps} fps`;
}

// ---- live

const KEEP = 120; // half seconds
const past = { fps: [], latency: [] };
const show = {};
let running = false;

show.jobs = (jobs) => {
  // Items are replaced only when their state changes: a button keeps the focus.
  const list = $("jobs"), ids = new Set(jobs.map(({ id }) => id));
  for (const item of [...list.children]) if (!ids.has(item.dataset.id)) item.remove();
  for (const job of jobs) {
    const old = [...list.children].find((item) => item.dataset.id === job.id);
    if (old?.dataset.state === job.state) { progress(old, job); continue; }
    const item = jobItem(job), focused = old?.contains(document.activeElement);
    if (old) old.replaceWith(item); else list.append(item);
    if (focused) item.querySelector("button").focus();
  }
};

let current = "blur", pictures = [], items = []; // of the background: chosen, with a thumbnail, by the key b

show.settings = (settings) => {
  ({ current, items } = settings.background);
  tile();
  const states = { m: settings.output.mirror, v: settings.output.virtualcam, " ": settings.paused,
    f: settings.frozen, r: settings.output.record, 0: current === "none",
    u: current.startsWith("blur"), x: current === "erase" };
  for (const button of $("keys").children) {
    if (button.dataset.key in states) button.setAttribute("aria-pressed", states[button.dataset.key]);
  }
  if (document.activeElement !== $("live-engine")) $("live-engine").value = settings.engine.name;
};

show.backgrounds = (names) => {
  pictures = names;
  tile();
};

let tiled = "";

function tile() {
  const names = [...pictures, ...items.filter((name) => !pictures.includes(name))];
  if (tiled !== names.join()) { // else the focus stays where it is
    tiled = names.join();
    $("gallery").replaceChildren(...names.map(tileOf));
  }
  for (const button of $("gallery").querySelectorAll(".pick")) {
    button.setAttribute("aria-pressed", button.dataset.name === current);
  }
}

function tileOf(name) {
  const upload = name.startsWith("upload:");
  const pick = make("button", { type: "button", className: "pick", title: upload ? "" : name },
    sample(name), upload ? "picture" : name.split(/[\\/]/).pop());
  pick.dataset.name = name;
  pick.addEventListener("click", () => change({ background: { current: name } }).catch(() => {}));
  if (!upload) return make("div", {}, pick);
  const remove = make("button", { type: "button", className: "remove", textContent: "×", ariaLabel: "Delete this picture" });
  remove.addEventListener("click", async () => {
    try { await ask(`/api/backgrounds/${name}`, { method: "DELETE" }); await gallery(); } catch { /* said */ }
  });
  return make("div", {}, pick, remove);
}

function sample(name) { // a file is for the program to open, not for the page: no more than its name is shown
  if (pictures.includes(name)) {
    return make("img", { src: `/api/backgrounds/${name}/thumbnail`, alt: "", loading: "lazy" });
  }
  const plain = make("span", { className: "sample" });
  plain.style.backgroundColor = name; // where it is a colour
  return plain;
}

async function gallery() { // at once: an event may come late, or not where all is as before
  show.backgrounds((await (await ask("/api/backgrounds")).json()).map((one) => one.name));
}

function line(element, values, most) {
  const step = 240 / (KEEP - 1), from = KEEP - values.length;
  element.setAttribute("points", values.map((value, index) =>
    `${((from + index) * step).toFixed(1)},${(58 - 56 * Math.min(1, value / most)).toFixed(1)}`).join(" "));
}

show.stats = (stats) => {
  running = stats.running;
  $("camera").textContent = running ? "Stop the camera" : "Start the camera";
  $("camera").setAttribute("aria-pressed", running);
  $("fps").textContent = stats.fps.toFixed(1);
  $("latency").textContent = `${stats.latency_ms.toFixed(0)} ms`;
  $("engine-now").textContent = running ? `${stats.engine}${stats.provider ? ` on ${stats.provider}` : ""}` : "none";
  $("cameras").textContent = (stats.cameras ?? []).join(" ");
  $("cameras").parentElement.hidden = !$("cameras").textContent;
  const text = [stats.notice, running && stats.shows_camera ? "The room is shown as it is." : ""].filter(Boolean).join(" ");
  if ($("live-status").textContent !== text) $("live-status").textContent = text;
  $("screen-text").textContent = stats.problem || (running ? "One moment …" : "The camera is off.");
  past.fps = [...past.fps, stats.fps].slice(-KEEP);
  past.latency = [...past.latency, stats.latency_ms].slice(-KEEP);
  line($("fps-line"), past.fps, Math.max(30, ...past.fps));
  line($("latency-line"), past.latency, Math.max(50, ...past.latency));
  watch();
};

function watch() {
  const wanted = running && !$("live").hidden && !document.hidden;
  if (wanted === !$("stream").hidden) return;
  $("stream").hidden = !wanted;
  if (wanted) $("stream").src = `/api/live/stream?${Date.now()}`;
  else $("stream").removeAttribute("src"); // ends the connection
}
document.addEventListener("visibilitychange", watch);
$("stream").addEventListener("error", () => { $("stream").hidden = true; $("stream").removeAttribute("src"); });

$("camera").addEventListener("click", async () => {
  $("camera").disabled = true;
  try { show.stats(await (await ask("/api/live", sent("POST", { on: !running }))).json()); } catch { /* said */ }
  $("camera").disabled = false;
});
$("live-engine").addEventListener("change", (event) =>
  change({ engine: { name: event.target.value } }).catch(() => {}));
$("add-background").addEventListener("change", async (event) => {
  const data = new FormData();
  data.append("image", event.target.files[0]);
  try {
    const { name } = await (await ask("/api/backgrounds", { method: "POST", body: data })).json();
    await gallery();
    await change({ background: { current: name } });
  } catch { /* said */ }
  event.target.value = "";
});

async function press(key) {
  if (key === "s") { // the picture as a file of the browser
    const blob = await (await ask("/api/snapshot", { method: "POST" })).blob();
    const url = URL.createObjectURL(blob);
    make("a", { href: url, download: "realtime-bg.png" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
    return;
  }
  show.settings(await (await ask("/api/keys", sent("POST", { key }))).json());
}

function keyButtons(keys) {
  $("keys").replaceChildren(...keys.map(({ key, does }) => {
    const button = make("button", { type: "button" }, make("kbd", { textContent: key === " " ? "space" : key }), does);
    button.dataset.key = key;
    button.addEventListener("click", () => press(key).catch(() => {}));
    return button;
  }));
  const known = new Set(keys.map(({ key }) => key));
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea, button, a, [role=tab]");
    if ($("live").hidden || typing || event.ctrlKey || event.metaKey || event.altKey || !known.has(event.key)) return;
    event.preventDefault();
    press(event.key).catch(() => {});
  });
}

// ---- events

const gone = { // instead of what was shown last
  running: false, fps: 0, latency_ms: 0,
  problem: "The program does not respond. If it was restarted, open the address that it printed.",
};

function listen(wait = 500) {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/events`);
  socket.addEventListener("message", (event) => {
    wait = 500;
    const { type, value } = JSON.parse(event.data);
    show[type]?.(value);
  });
  socket.addEventListener("close", () => {
    show.stats(gone);
    setTimeout(() => listen(Math.min(wait * 2, 10000)), wait);
  });
}

const about = await (await ask("/api/about")).json();
for (const select of document.querySelectorAll(".engines")) {
  select.append(...about.engines.map((name) => make("option", { textContent: name })));
}
keyButtons(about.keys);
choose($(`tab-${location.hash.slice(1)}`) ?? tabs[0]);
listen();
document.body.dataset.ready = "yes";
