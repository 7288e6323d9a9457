// Changing the live settings, with undo: each step remembers the values it replaced.

import { $, ask, on, sent, state, tell, treeOf, valueAt } from "/static/core.js";

const MOST = 50;
const steps = []; // each: {before: {"section.key": value} or a part of the tree, gesture}

function shown() {
  if (steps.length > MOST) steps.shift();
  $("undo").disabled = !steps.length;
}

async function send(changes) {
  tell("settings", await (await ask("/api/settings", sent("PATCH", treeOf(changes)))).json());
}

/** Change settings, `{"section.key": value}`. Changes in the same `gesture` are undone together. */
export async function change(changes, gesture = null) {
  const before = Object.fromEntries(Object.keys(changes).map((key) => [key, valueAt(state.settings, key)]));
  const last = steps.at(-1);
  if (gesture && last?.gesture === gesture) last.before = { ...before, ...last.before };
  else steps.push({ before, gesture });
  tell("tried", Object.keys(changes));
  shown();
  try {
    await send(changes);
  } catch (error) {
    if (steps.at(-1)?.before === before) steps.pop();
    shown();
    tell("settings", state.settings); // what is shown goes back to what is
    throw error;
  }
}

/** Remember the part of the tree that another call has replaced, so that it can be undone. */
export function remember(before) {
  if (Object.keys(before).length) steps.push({ before });
  shown();
}

export async function undo() {
  const step = steps.pop();
  shown();
  if (step) await send(step.before);
}

export function begin() {
  $("undo").addEventListener("click", () => undo().catch(() => {}));
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input[type=text]");
    if ((event.ctrlKey || event.metaKey) && event.key === "z" && !typing && !$("live").hidden) {
      event.preventDefault();
      undo().catch(() => {});
    }
  });
  for (const button of document.querySelectorAll(".switch")) {
    const { key } = button.dataset;
    button.addEventListener("click", () => change({ [key]: !valueAt(state.settings, key) }).catch(() => {}));
    on("settings", (settings) => button.setAttribute("aria-pressed", Boolean(valueAt(settings, key))));
  }
}
