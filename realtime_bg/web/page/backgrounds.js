// The gallery of backgrounds, the same in every room: each tile shows what it gives.

import { ask, make, on, say, state, tell } from "/static/core.js";
import { slider } from "/static/look.js";

const NAMES = {
  transparent: "Transparent", none: "Original room", blur: "Blurred room", erase: "Without you",
};
const RADIUS = 24; // pixels at a height of 720, where the specification gives none
const titled = (name) => NAMES[name] ?? name[0].toUpperCase() + name.slice(1);
const isColour = (spec) => CSS.supports("color", spec);

/** Upload a picture as a background, for `choose(name)`. */
export async function addPicture(file, choose) {
  const form = new FormData();
  form.append("image", file);
  try {
    const { name } = await (await ask("/api/backgrounds", { method: "POST", body: form })).json();
    await refresh();
    await choose(name);
  } catch { /* said already */ }
}

/** Ask for the list at once: an event may come late. */
export async function refresh() {
  tell("backgrounds", (await (await ask("/api/backgrounds")).json()).map(({ name }) => name));
}

function picture(name) {
  return make("img", { src: `/api/backgrounds/${name}/thumbnail`, alt: "", loading: "lazy", width: 256, height: 144 });
}

function tile(spec, choose) {
  const upload = spec.startsWith("upload:"), known = upload || spec in NAMES || state.backgrounds?.includes(spec);
  // A file is for the program to open, not for the page: no more than its name is shown.
  const sample = make("span", { className: "sample" });
  const label = upload ? "Your picture" : known ? titled(spec) : spec.split(/[\\/]/).pop();
  if (known) sample.append(picture(spec));
  else if (isColour(spec)) { sample.style.backgroundColor = spec; sample.append(picture("transparent")); }
  const pick = make("button", { type: "button", className: "pick", title: known ? "" : spec }, sample,
    make("span", { className: "caption", textContent: label }));
  pick.dataset.name = spec;
  pick.addEventListener("click", () => choose(spec));
  const whole = make("div", { className: "tile" }, pick);
  if (upload) {
    const remove = make("button", { type: "button", className: "remove", textContent: "×", ariaLabel: "Delete this picture" });
    remove.addEventListener("click", async () => {
      try {
        await ask(`/api/backgrounds/${spec}`, { method: "DELETE" });
        await refresh();
      } catch { /* said */ }
    });
    whole.append(remove);
  }
  return whole;
}

function colourTile(choose) {
  const input = make("input", { type: "color", value: "#00b140", ariaLabel: "Choose a colour" });
  const sample = make("span", { className: "sample" }, picture("transparent"));
  const paint = () => { sample.style.backgroundColor = input.value; };
  let gesture = 0;
  input.addEventListener("input", () => { paint(); choose(input.value, `colour ${gesture}`); });
  input.addEventListener("change", () => { gesture += 1; });
  paint();
  return make("label", { className: "tile colour" }, make("span", { className: "pick" }, sample,
    make("span", { className: "caption", textContent: "Colour …" }), input));
}

function addTile(choose) {
  const input = make("input", { type: "file", accept: "image/*", ariaLabel: "Add a picture as background" });
  input.addEventListener("change", async () => {
    for (const file of input.files) await addPicture(file, choose);
    input.value = "";
  });
  const sample = make("span", { className: "sample plus", textContent: "+" });
  return make("label", { className: "tile add" }, make("span", { className: "pick" }, sample,
    make("span", { className: "caption", textContent: "Add a picture" }), input));
}

function blurControls(choose) {
  let ways = [];
  let radius = RADIUS;
  const send = (gesture = null) => choose(["blur", radius, ...ways].join(":"), gesture);
  const size = slider({ name: "Blur", min: 4, max: 80, step: 1, show: (value) => `${value} px` }, (value, gesture) => {
    radius = value;
    send(gesture);
  });
  const boxes = [["bokeh", "Round lights, as a lens shows them"], ["depth", "Less blur for what is near"]].map(([way, text]) => {
    const box = make("input", { type: "checkbox" });
    box.addEventListener("change", () => {
      ways = box.checked ? [...ways, way].sort() : ways.filter((one) => one !== way);
      send();
    });
    return [way, box, make("label", { className: "check" }, box, text)];
  });
  const place = make("div", { className: "blur", hidden: true }, size.element, ...boxes.map(([, , label]) => label));
  return {
    place,
    send,
    set(spec) {
      place.hidden = !/^blur(:|$)/.test(spec);
      if (place.hidden) return;
      const parts = spec.split(":").slice(1);
      radius = Number(parts.find((part) => part && !Number.isNaN(Number(part)))) || RADIUS;
      ways = parts.filter((part) => Number.isNaN(Number(part)));
      size.set(radius);
      for (const [way, box] of boxes) box.checked = ways.includes(way);
      tell("blur", spec);
    },
  };
}

/**
 * The gallery in `place`. `first`: the specs before the built-in scenes. `choose(spec, gesture)` is called
 * with a choice; `set(spec, more)` shows which one counts, and further specs to choose from.
 */
export function gallery(place, first, choose) {
  const grid = make("div", { className: "backgrounds", role: "group", ariaLabel: "Backgrounds" });
  const blur = blurControls(choose), colour = colourTile(choose), add = addTile(choose);
  let current = "", more = [], names = null;
  const pick = (spec) => (spec === "blur" ? blur.send() : choose(spec)); // as strong as before
  place.append(grid, blur.place);

  function draw() {
    const [stored, scenes] = [[], []];
    for (const name of state.backgrounds ?? []) (name.startsWith("upload:") ? stored : scenes).push(name);
    const known = [...first, ...scenes, "erase", ...stored];
    const wanted = [...known, ...more.filter((spec) => !known.includes(spec) && !/^blur:/.test(spec))];
    if (wanted.join("\n") !== names) { // else the focus stays where it is
      names = wanted.join("\n");
      grid.replaceChildren(...wanted.map((spec) => tile(spec, pick)), colour, add);
    }
    const base = /^blur:/.test(current) ? "blur" : current;
    for (const button of grid.querySelectorAll("button.pick")) {
      button.setAttribute("aria-pressed", button.dataset.name === base);
    }
    colour.classList.toggle("chosen", isColour(current) && !wanted.includes(current));
    blur.set(current);
  }

  on("backgrounds", draw);
  for (const kind of ["dragover", "dragleave", "drop"]) {
    grid.addEventListener(kind, (event) => {
      event.preventDefault();
      grid.classList.toggle("over", kind === "dragover");
      const [file] = kind === "drop" ? event.dataTransfer.files : [];
      if (file) addPicture(file, choose);
      else if (kind === "drop") say("Drop a picture file here.");
    });
  }
  return {
    set(spec, others = []) {
      [current, more] = [spec, others];
      draw();
    },
  };
}

