// The video room: videos are sent, converted one after the other, and fetched.

import { gallery } from "/static/backgrounds.js";
import { $, ask, make, on, say, upload } from "/static/core.js";
import { light } from "/static/light.js";
import { look } from "/static/look.js";
import { fields } from "/static/photo.js";

const WORDS = { queued: "waiting", running: "converting", cancelling: "stopping", done: "done", failed: "failed", cancelled: "cancelled" };
const GOING = ["queued", "running", "cancelling"];

let chosen = []; // files that have not been sent
const choice = { spec: "transparent", values: {}, engine: "" };

// ---- sending

function compact() { // where there is something else to look at
  const busy = chosen.length > 0 || $("jobs").children.length > 0;
  $("video-drop").classList.toggle("compact", busy);
  $("video-hint").hidden = busy;
}

function drawChosen() {
  $("chosen-videos").replaceChildren(...chosen.map((file) => {
    const remove = make("button", { type: "button", className: "small", textContent: "×", ariaLabel: `Remove ${file.name}` });
    remove.addEventListener("click", () => { chosen = chosen.filter((one) => one !== file); drawChosen(); });
    return make("li", {}, make("span", { textContent: `${file.name}, ${(file.size / 1e6).toFixed(1)} MB` }), remove);
  }));
  $("convert-bar").hidden = !chosen.length;
  compact();
  $("convert").textContent = chosen.length > 1 ? `Convert ${chosen.length} videos` : "Convert";
}

async function convert() {
  $("convert").disabled = true;
  $("sending").hidden = false;
  say("");
  const problems = [];
  for (const file of [...chosen]) {
    const form = fields(choice);
    form.append("video", file);
    $("video-status").textContent = `Sending ${file.name} …`;
    try {
      await upload("/api/jobs", form, (percent) => { $("sending").value = percent; });
      chosen = chosen.filter((one) => one !== file);
    } catch (error) {
      problems.push(`${file.name}: ${error.message}`);
    }
    drawChosen();
  }
  $("video-status").textContent = "";
  $("sending").hidden = true;
  $("convert").disabled = false;
  if (problems.length) say(problems.join("\n"));
}

// ---- the list of videos

const span = (seconds) => (seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`);

function words(job) {
  const parts = [WORDS[job.state]];
  if (job.state === "running") {
    parts.push(`${job.done} of ${job.total ?? "?"} frames`);
    if (job.eta !== null) parts.push(`about ${span(job.eta)} left`);
  }
  if (job.expires) parts.push(`kept until ${new Date(job.expires * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}`);
  return parts.join(", ");
}

function act(text, method, path, className = "") {
  const button = make("button", { type: "button", textContent: text, className });
  button.addEventListener("click", () => ask(path, { method }).catch(() => {}));
  return button;
}

function item(job) {
  const path = `/api/jobs/${job.id}`, going = GOING.includes(job.state);
  const part = make("li", {}, make("img", { className: "still", alt: "" }),
    make("div", { className: "about" }, make("b", { textContent: job.state === "done" ? job.name : job.source }),
      make("span", { className: "state" })));
  Object.assign(part.dataset, { id: job.id, state: job.state });
  const about = part.querySelector(".about"), bar = make("div", { className: "bar" });
  if (going) about.append(make("progress", { max: 100, ariaLabel: `Progress of ${job.source}` }));
  if (job.error) about.append(make("span", { className: "bad", textContent: job.error }));
  if (job.state === "done") {
    bar.append(make("a", { className: "button main", href: `${path}/result`, download: job.name, textContent: "Download" }));
  }
  if (job.state === "queued" || job.state === "running") bar.append(act("Cancel", "POST", `${path}/cancel`));
  if (job.can_retry) bar.append(act("Try again as before", "POST", `${path}/retry`));
  if (!going) bar.append(act("Delete", "DELETE", path));
  about.append(bar);
  return part;
}

function update(part, job) {
  const still = job.preview ? `/api/jobs/${job.id}/preview?${job.preview}` : `/api/jobs/${job.id}/thumbnail`;
  const image = part.querySelector(".still");
  if (image.getAttribute("src") !== still) image.src = still;
  part.querySelector(".state").textContent = words(job);
  const progress = part.querySelector("progress");
  if (!progress) return;
  if (job.total) progress.value = Math.min(100, 100 * job.done / job.total);
  else progress.removeAttribute("value");
}

function showJobs(jobs) {
  // Items are replaced only when their state changes: a button keeps the focus.
  const list = $("jobs"), ids = new Set(jobs.map(({ id }) => id));
  for (const part of [...list.children]) if (!ids.has(part.dataset.id)) part.remove();
  for (const job of jobs) {
    const old = [...list.children].find((part) => part.dataset.id === job.id);
    let part = old;
    if (old?.dataset.state !== job.state) {
      part = item(job);
      const focused = old?.contains(document.activeElement);
      if (old) old.replaceWith(part); else list.prepend(part);
      if (focused) part.querySelector("button, a")?.focus();
    }
    update(part, job);
  }
  compact();
}

export function begin() {
  const backgrounds = gallery($("video-backgrounds"), ["transparent", "blur"], (spec) => {
    choice.spec = spec;
    backgrounds.set(spec);
  });
  backgrounds.set(choice.spec);
  const choose = (key, value) => {
    choice.values[key] = value;
    for (const one of controls) one.set((name) => choice.values[name]);
  };
  const controls = [look($("video-look"), choose), light($("video-light"), choose)];
  for (const one of controls) one.set(() => undefined);
  const take = (files) => { chosen.push(...files); drawChosen(); };
  $("video-file").addEventListener("change", (event) => { take(event.target.files); event.target.value = ""; });
  $("video-engine").addEventListener("change", (event) => { choice.engine = event.target.value; });
  $("convert").addEventListener("click", convert);
  on("jobs", showJobs);
  return { take };
}
