// Sliders with their values, the same in every room: the edge of the person, and the light.

import { make } from "/static/core.js";

const percent = (value) => `${Math.round(value * 100)} %`;
const PAUSE = 1000; // milliseconds after which a movement is a new one
const pixels = (value) => `${value} px`;

const SLIDERS = {
  "refine.threshold": { name: "Edge threshold", min: 0.05, max: 0.95, step: 0.05, show: percent, plain: 0.5 },
  "refine.feather": { name: "Soft edge", min: 0, max: 24, step: 1, show: pixels, plain: 0 },
  "refine.grow": { name: "Shrink or grow", min: -16, max: 16, step: 1, show: pixels, plain: 0 },
  "harmonise.light_wrap": { name: "Light wrap", min: 0, max: 1, step: 0.05, show: percent, plain: 0 },
  "harmonise.match": { name: "Match the background's light", min: 0, max: 1, step: 0.05, show: percent, plain: 0 },
};

let made = 0;

/** One slider; `changed(value, gesture)` while it moves. Returns its element and `set(value)`. */
export function slider({ name, min, max, step, show }, changed) {
  const id = `slider-${made += 1}`;
  const input = make("input", { type: "range", min, max, step, id });
  const output = make("output", {});
  const say = () => {
    output.textContent = show(Number(input.value));
    input.setAttribute("aria-valuetext", output.textContent);
  };
  let gesture = 0, moving = false, last = -Infinity, later = null;
  input.addEventListener("input", ({ timeStamp }) => {
    if (!moving && timeStamp - last > PAUSE) gesture += 1; // keys pressed in a row are one movement
    [moving, last] = [true, timeStamp];
    say();
    changed(Number(input.value), `${name} ${gesture}`);
  });
  input.addEventListener("change", () => { moving = false; });
  const title = make("label", { htmlFor: id, textContent: name });
  const element = make("div", { className: "slider" }, title, output, input);
  const set = (given) => {
    clearTimeout(later);
    if (moving) return;
    const rest = last + PAUSE - performance.now(); // an old answer must not take back a pressed key
    if (rest > 0) {
      later = setTimeout(set, rest, given);
      return;
    }
    input.value = given;
    say();
  };
  return { element, set };
}

/** All sliders into `place`; `changed(key, value, gesture)`. Returns `set(valueOf)`. */
export function look(place, changed) {
  const keys = Object.keys(SLIDERS);
  const sliders = keys.map((key) => [key, slider(SLIDERS[key], (value, gesture) => changed(key, value, gesture))]);
  const reset = make("button", { type: "button", className: "small", textContent: "Reset" });
  reset.addEventListener("click", ({ timeStamp }) => keys.forEach((key) => {
    changed(key, SLIDERS[key].plain, `reset ${timeStamp}`);
  }));
  place.append(make("div", { className: "headline" }, make("h2", { textContent: "Edge and light" }), reset),
    ...sliders.map(([, { element }]) => element));
  return { set: (valueOf) => sliders.forEach(([key, one]) => one.set(valueOf(key) ?? SLIDERS[key].plain)) };
}
