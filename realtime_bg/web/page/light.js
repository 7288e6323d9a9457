// The light on the person, the same in every room: a switch, and sliders while it is on.

import { make } from "/static/core.js";
import { slider } from "/static/look.js";

const percent = (value) => `${Math.round(value * 100)} %`;
const kelvin = (value) => `${value} K`;
const side = (value) => {
  const names = ["above", "above right", "right", "below right", "below", "below left", "left", "above left"];
  return names[((Math.round(value / 45) % 8) + 8) % 8];
};
const SLIDERS = {
  "light.exposure": { name: "Automatic exposure", min: 0, max: 1, step: 0.05, show: percent, plain: 1 },
  "light.white": { name: "Automatic white balance", min: 0, max: 1, step: 0.05, show: percent, plain: 1 },
  "light.denoise": { name: "Less noise", min: 0, max: 1, step: 0.05, show: percent, plain: 0.5 },
  "light.key": { name: "Lamp", min: 0, max: 1, step: 0.05, show: percent, plain: 0.3 },
  "light.angle": { name: "Lamp from", min: -180, max: 180, step: 5, show: side, plain: -45 },
  "light.warmth": { name: "Lamp's colour", min: 2000, max: 10000, step: 100, show: kelvin, plain: 5000 },
};

/** The controls into `place`; `changed(key, value, gesture)`. Returns `set(valueOf)`. */
export function light(place, changed) {
  const improve = make("button", { type: "button", className: "small", textContent: "Improve",
    title: "Exposure, white balance, less noise and a lamp, on the person" });
  const sliders = Object.entries(SLIDERS).map(([key, about]) =>
    ({ key, plain: about.plain, ...slider(about, (value, gesture) => changed(key, value, gesture)) }));
  improve.addEventListener("click", () => changed("light.active", improve.getAttribute("aria-pressed") !== "true", null));
  place.append(make("div", { className: "headline" }, make("h2", { textContent: "Light on the person" }), improve),
    ...sliders.map(({ element }) => element));
  return { set: (valueOf) => {
    const active = Boolean(valueOf("light.active"));
    improve.setAttribute("aria-pressed", active);
    for (const { key, plain, element, set } of sliders) {
      element.hidden = !active;
      set(valueOf(key) ?? plain);
    }
  } };
}
