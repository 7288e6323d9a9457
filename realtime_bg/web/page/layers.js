// Layers over the picture or behind the person: shown, moved, faded and removed; texts are also added.

import { $, make, on, state } from "/static/core.js";
import { slider } from "/static/look.js";
import { change } from "/static/settings.js";

const percent = (value) => `${Math.round(value * 100)} %`;
const range = (name) => ({ name, min: 0, max: 1, step: 0.01, show: percent });
const SLIDERS = {
  Across: [(item) => item.position[0], (item, value) => ({ position: [value, item.position[1]] })],
  Down: [(item) => item.position[1], (item, value) => ({ position: [item.position[0], value] })],
  Size: [(item) => item.scale, (_, scale) => ({ scale: Math.max(0.01, scale) })],
  Opacity: [(item) => item.opacity, (_, opacity) => ({ opacity })],
};

const items = () => state.settings.layers.items;
const found = (name) => items().find((item) => item.name === name);
const replace = (list, gesture) => change({ "layers.items": list }, gesture).catch(() => {});
const edit = (name, made, gesture = null) => replace(items().map((item) => (
  item.name === name ? { ...item, ...made(item) } : item)), gesture);

function entry({ name }) {
  const toggle = (key, text) => {
    const button = make("button", { type: "button", className: "small", textContent: text });
    button.addEventListener("click", () => edit(name, (item) => ({ [key]: !item[key] })));
    return [button, (item) => button.setAttribute("aria-pressed", item[key])];
  };
  const [shown, setShown] = toggle("shown", "Shown");
  const [behind, setBehind] = toggle("behind", "Behind me");
  const remove = make("button", { type: "button", className: "small", textContent: "×", ariaLabel: `Remove the layer ${name}` });
  remove.addEventListener("click", () => replace(items().filter((item) => item.name !== name)));
  const sliders = Object.entries(SLIDERS).map(([title, [value, made]]) => {
    const one = slider(range(title), (to, gesture) => edit(name, (item) => made(item, to), `${name} ${gesture}`));
    return { ...one, follow: (item) => one.set(value(item)) };
  });
  return {
    element: make("fieldset", {}, make("legend", { textContent: name }),
      make("div", { className: "bar" }, shown, behind, remove), ...sliders.map(({ element }) => element)),
    follow() {
      const item = found(name);
      [setShown, setBehind, ...sliders.map(({ follow }) => follow)].forEach((set) => set(item));
    },
  };
}

function unused(text) {
  const short = text.replace(/[/\p{Cc}]/gu, " ").trim().slice(0, 30) || "Text";
  for (let number = 1; ; number += 1) {
    const name = number > 1 ? `${short} ${number}` : short;
    if (!found(name)) return name;
  }
}

export function begin() {
  let names = null, entries = [];
  on("settings", ({ layers }) => {
    const now = JSON.stringify(layers.items.map(({ name }) => name));
    if (now !== names) { // otherwise the focus stays where it is
      names = now;
      entries = layers.items.map(entry);
      $("layers").replaceChildren(...entries.map(({ element }) => element));
    }
    entries.forEach(({ follow }) => follow());
  });
  $("add-layer").addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = $("layer-text").value;
    try {
      await change({ "layers.items": [...items(), { name: unused(text), text }] });
      $("layer-text").value = "";
    } catch { /* said */ }
  });
}
