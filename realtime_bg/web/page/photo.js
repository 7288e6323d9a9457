// The photo room: any number of photos, each cut out again whenever a choice changes.

import { gallery } from "/static/backgrounds.js";
import { $, ask, make, save, treeOf } from "/static/core.js";
import { light } from "/static/light.js";
import { look } from "/static/look.js";
import { viewer } from "/static/viewer.js";

const PAUSE = 200; // milliseconds without a change before photos are sent
const CAN_SHOW = /^image\/(jpeg|png|webp|gif|avif|bmp)$/;

const photos = []; // each: {file, url, result: {url, name} | null, error, unreadable, version}
const choice = { spec: "transparent", values: {}, format: "png", engine: "" };
let version = 1, chosen = null, working = null, timer = null, show = null;

/** The form fields that the photo and the video room have in common. */
export function fields({ spec, values, engine }) {
  const form = new FormData();
  if (spec !== "transparent") form.append(CSS.supports("color", spec) ? "color" : "style", spec);
  if (engine) form.append("engine", engine);
  if (Object.keys(values).length) form.append("settings", JSON.stringify(treeOf(values)));
  return form;
}

// ---- the queue: the photo that is looked at first, then the others

async function work() {
  if (working) return;
  const stale = (photo) => photo.version !== version && !photo.unreadable;
  const photo = chosen && stale(chosen) ? chosen : photos.find(stale);
  if (!photo) { drawStatus(); return; }
  const mine = version;
  working = new AbortController();
  draw();
  const form = fields(choice);
  form.append("format", choice.format);
  form.append("image", photo.file);
  let result = null, error = "";
  try {
    const answer = await ask("/api/image", { method: "POST", body: form, quiet: true, signal: working.signal });
    const [, name] = /filename\*=utf-8''([^;]+)/.exec(answer.headers.get("content-disposition"));
    result = { url: URL.createObjectURL(await answer.blob()), name: decodeURIComponent(name) };
  } catch (problem) {
    error = problem.name === "AbortError" ? "" : problem.message;
  }
  const stopped = working.signal.aborted;
  working = null;
  if (stopped || mine !== version || !photos.includes(photo)) {
    if (result) URL.revokeObjectURL(result.url);
  } else {
    if (photo.result) URL.revokeObjectURL(photo.result.url);
    Object.assign(photo, { result, error, version: mine, unreadable: error.includes("cannot be read") });
  }
  draw();
  work();
}

function changed() {
  version += 1;
  working?.abort();
  clearTimeout(timer);
  timer = setTimeout(work, PAUSE);
  draw();
}

// ---- the list and what is shown of the chosen one

function item(photo) {
  const kind = make("span", { className: "sample", textContent: photo.file.name.split(".").pop() });
  const sample = CAN_SHOW.test(photo.file.type) && !photo.unreadable ? make("img", { src: photo.url, alt: "" }) : kind;
  sample.addEventListener("error", () => sample.replaceWith(kind));
  const pick = make("button", { type: "button", className: "pick", ariaPressed: photo === chosen }, sample,
    make("span", { className: "caption", textContent: photo.file.name }));
  pick.addEventListener("click", () => { chosen = photo; draw(); work(); });
  const remove = make("button", { type: "button", className: "remove", textContent: "×", ariaLabel: `Remove ${photo.file.name}` });
  remove.addEventListener("click", () => drop(photo));
  const part = make("li", { className: "tile" }, pick, remove);
  if (photo.error) part.append(make("p", { className: "bad", textContent: photo.error }));
  return part;
}

function drop(photo) {
  photos.splice(photos.indexOf(photo), 1);
  URL.revokeObjectURL(photo.url);
  if (photo.result) URL.revokeObjectURL(photo.result.url);
  if (chosen === photo) chosen = photos[0] ?? null;
  draw();
}

function draw() {
  const focused = [...$("photos").querySelectorAll("button")].indexOf(document.activeElement);
  $("photos").replaceChildren(...photos.map(item));
  $("photos").querySelectorAll("button")[focused]?.focus();
  $("photos").hidden = !photos.length;
  $("photo-hint").hidden = photos.length > 0;
  $("photo-drop").classList.toggle("compact", photos.length > 0);
  if (!chosen || chosen.error) show.hide();
  else if (chosen.result) {
    show.show(chosen.url, chosen.result.url);
    $("download").href = chosen.result.url;
    $("download").download = chosen.result.name;
  } else show.hide();
  const fresh = chosen?.result && chosen.version === version;
  if (chosen && !chosen.error && chosen.result && !fresh) show.wait("One moment …");
  $("download").hidden = !fresh;
  $("photo-downloads").hidden = !photos.length;
  $("download-all").hidden = photos.filter(({ result }) => result).length < 2 || photos.some((photo) => photo.version !== version && !photo.unreadable);
  drawStatus();
}

function drawStatus() {
  const failed = photos.filter(({ error }) => error).length;
  const left = photos.filter(({ version: at, unreadable }) => at !== version && !unreadable).length;
  const done = photos.length - left - failed;
  const ended = failed ? `${done} of ${photos.length} done, ${failed} failed.` : "Done.";
  const text = !photos.length ? "" : left ? `Cutting out … ${done} of ${photos.length} done` : ended;
  if ($("photo-status").textContent !== text) $("photo-status").textContent = text;
}

function take(files) {
  const added = [...files].map((file) => ({ file, url: URL.createObjectURL(file), result: null, error: "", version: 0 }));
  photos.push(...added);
  chosen = added[0];
  draw();
  work();
  $("photo-status").scrollIntoView({ block: "nearest" });
}

async function sample() {
  const blob = await (await ask("/api/sample")).blob();
  take([new File([blob], "sample.jpg", { type: "image/jpeg" })]);
}

function offerFormats() { // JPEG has no transparency
  const jpeg = $("photo-format").querySelector("[value=jpg]");
  jpeg.disabled = choice.spec === "transparent";
  jpeg.textContent = jpeg.disabled ? "JPEG (needs a background)" : "JPEG";
  if (jpeg.disabled && choice.format === "jpg") choice.format = $("photo-format").value = "png";
}

function downloadAll() {
  photos.filter(({ result }) => result).forEach(({ result }, index) =>
    setTimeout(() => save(result.url, result.name), 300 * index)); // browsers drop downloads that come at once
}

export function begin() {
  show = viewer($("photo-viewer"));
  const backgrounds = gallery($("photo-backgrounds"), ["transparent", "blur"], (spec) => {
    choice.spec = spec;
    backgrounds.set(spec);
    offerFormats();
    changed();
  });
  backgrounds.set(choice.spec);
  offerFormats();
  const choose = (key, value) => {
    choice.values[key] = value;
    for (const one of controls) one.set((name) => choice.values[name]);
    changed();
  };
  const controls = [look($("photo-look"), choose), light($("photo-light"), choose)];
  for (const one of controls) one.set(() => undefined);
  $("photo-format").addEventListener("change", (event) => { choice.format = event.target.value; changed(); });
  $("photo-engine").addEventListener("change", (event) => { choice.engine = event.target.value; changed(); });
  $("photo-file").addEventListener("change", (event) => { take(event.target.files); event.target.value = ""; });
  $("sample").addEventListener("click", () => sample().catch(() => {}));
  $("download-all").addEventListener("click", downloadAll);
  $("photo-clear").addEventListener("click", () => { while (photos.length) drop(photos[0]); });
  return { take };
}
