// Presets: all settings of a look under a name, kept by the program in config.yaml.

import { $, ask, make, on, sent, state, tell } from "/static/core.js";
import { remember } from "/static/settings.js";

async function send(path, name) {
  tell("settings", await (await ask(path, sent("POST", { name }))).json());
}

async function apply(name) {
  const { settings, before } = await (await ask("/api/presets/apply", sent("POST", { name }))).json();
  remember(before);
  tell("settings", settings);
}

function entry({ name }, index) {
  const title = index < 12 ? `F${index + 1}` : "";
  const use = make("button", { type: "button", textContent: name, className: "preset", title });
  use.addEventListener("click", () => apply(name).catch(() => {}));
  const remove = make("button", { type: "button", className: "small", textContent: "×", ariaLabel: `Delete the preset ${name}` });
  remove.addEventListener("click", () => {
    if (window.confirm(`Delete the preset "${name}"?`)) send("/api/presets/delete", name).catch(() => {});
  });
  return make("span", { className: "pair" }, use, remove);
}

export function begin() {
  let shown = null;
  on("settings", ({ presets }) => {
    const names = JSON.stringify(presets.map(({ name }) => name));
    if (names !== shown) $("presets").replaceChildren(...presets.map(entry)); // otherwise the focus stays
    shown = names;
    document.querySelectorAll("#presets .preset").forEach((button, index) => {
      button.setAttribute("aria-pressed", presets[index].active);
    });
    if (!presets.length && !$("presets").children.length) $("presets").append(make("p", { className: "hint", textContent: "Keep all of this under a name, and come back to it with one click." }));
  });
  document.addEventListener("keydown", (event) => {
    const number = /^F(\d+)$/.exec(event.key)?.[1];
    const preset = state.settings?.presets[number - 1];
    if (!preset || $("live").hidden || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    event.preventDefault();
    apply(preset.name).catch(() => {});
  });
  $("save-preset").addEventListener("submit", async (event) => {
    event.preventDefault();
    const name = $("preset-name").value.trim();
    try {
      if (state.settings.presets.some((one) => one.name === name) && !window.confirm(`Replace the preset "${name}"?`)) return;
      await send("/api/presets", name);
      $("preset-name").value = "";
    } catch { /* said */ }
  });
}
