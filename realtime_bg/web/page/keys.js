// The keyboard shortcuts of the live room, which are those of the preview window.

import { $, ask, make, sent, state, tell, valueAt } from "/static/core.js";
import { change } from "/static/settings.js";

const SWITCHES = { m: "output.mirror", v: "output.virtualcam", " ": "paused", f: "frozen", i: "light.active", r: "output.record" };
const CHOICES = { 0: () => "none", u: () => state.blur ?? "blur", x: () => "erase" };
const TYPED = "input[type=text], input[type=color], select, textarea";
const PRESSED = "button, a, summary, input, [role=tab]"; // take the space bar and Enter themselves

async function press(key, { snapshot }) {
  if (key === "s") await snapshot();
  else if (key in SWITCHES) await change({ [SWITCHES[key]]: !valueAt(state.settings, SWITCHES[key]) });
  else if (key === "z") await change({ "frame.mode": state.settings.frame.mode === "off" ? "auto" : "off" });
  else if (key === "o") await change({ "subject.mode": state.settings.subject.mode === "all" ? "main" : "all" });
  else if (key in CHOICES) await change({ "background.current": CHOICES[key]() });
  else tell("settings", await (await ask("/api/keys", sent("POST", { key }))).json());
}

/** `keys`: what the program says of them, [{key, does}]. */
export function begin(keys, live) {
  $("keys").replaceChildren(...keys.map(({ key, does }) => make("div", {},
    make("dt", {}, make("kbd", { textContent: key === " " ? "space" : key })), make("dd", { textContent: does }))));
  const known = new Set(keys.map(({ key }) => key));
  document.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if ($("live").hidden || event.ctrlKey || event.metaKey || event.altKey || !known.has(key)) return;
    if (target.closest(TYPED) || (key === " " && target.closest(PRESSED))) return;
    event.preventDefault();
    press(key, live).catch(() => {});
  });
  // After a click with the mouse, the space bar means the shortcut again, not that button.
  document.addEventListener("click", (event) => {
    const button = event.detail > 0 && event.target.closest("button");
    if (button && document.activeElement === button) button.blur();
  });
}
