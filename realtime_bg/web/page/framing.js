// Which part of the picture is shown, and who.

import { $, ask, make, on, sent, state, tell, valueAt } from "/static/core.js";
import { slider } from "/static/look.js";

const MODES = [["off", "the whole picture"], ["auto", "follow head and shoulders"], ["fixed", "a fixed part"]];
const WHO = [["all", "everybody"], ["main", "only me"], ["pick", "whom I click on"]];
const percent = (value) => `${Math.round(value * 100)} %`;
const times = (value) => `${value.toFixed(1)}x`;
const SLIDERS = { // key: [slider, the modes that have it]
  "frame.zoom": [{ name: "Zoom", min: 1, max: 4, step: 0.1, show: times }, ["auto", "fixed"]],
  "frame.x": [{ name: "From the left", min: 0, max: 1, step: 0.01, show: percent }, ["fixed"]],
  "frame.y": [{ name: "From the top", min: 0, max: 1, step: 0.01, show: percent }, ["fixed"]],
};

/** The controls into `place`; `changed(key, value, gesture)`. */
export function framing(place, changed) {
  const mode = make("select", {}, ...MODES.map(([value, textContent]) => make("option", { value, textContent })));
  const upright = make("button", { type: "button", className: "small", textContent: "Upright",
    title: "An upright picture, 9:16" });
  const sliders = Object.entries(SLIDERS).map(([key, [about, modes]]) =>
    ({ key, modes, ...slider(about, (value, gesture) => changed(key, value, gesture)) }));
  mode.addEventListener("change", () => changed("frame.mode", mode.value, null));
  const who = make("select", {}, ...WHO.map(([value, textContent]) => make("option", { value, textContent })));
  who.addEventListener("change", () => changed("subject.mode", who.value, null));
  $("stream").addEventListener("click", ({ offsetX, offsetY, target }) => {
    if (state.settings?.subject.mode !== "pick") return;
    const point = { x: offsetX / target.clientWidth, y: offsetY / target.clientHeight };
    ask("/api/click", sent("POST", point)).then((answer) => answer.json()).then((now) => tell("settings", now)).catch(() => {});
  });
  upright.addEventListener("click", () =>
    changed("frame.portrait", upright.getAttribute("aria-pressed") !== "true", null));
  place.append(make("div", { className: "headline" }, make("h2", { textContent: "Framing" }), upright),
    make("label", {}, "People ", who), make("label", {}, "Show ", mode), ...sliders.map(({ element }) => element));
  on("settings", (settings) => {
    const now = valueAt(settings, "frame.mode");
    if (document.activeElement !== who) who.value = valueAt(settings, "subject.mode");
    if (document.activeElement !== mode) mode.value = now;
    upright.hidden = now === "off";
    upright.setAttribute("aria-pressed", valueAt(settings, "frame.portrait"));
    for (const { key, modes, element, set } of sliders) {
      element.hidden = !modes.includes(now);
      set(valueAt(settings, key));
    }
  });
}
