// Statistics of the last minute, with axes, drawn while they are unfolded.

import { $, make, on } from "/static/core.js";

const KEEP = 120; // half seconds
const WIDTH = 640, HEIGHT = 200, LEFT = 44, RIGHT = 66, TOP = 10, BOTTOM = 26;
const past = { fps: [], latency: [] };

function svg(tag, attributes, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

/** The smallest round number that is not below `value`. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 3, 4, 6, 8, 10].map((step) => step * power).find((step) => step >= value);
}

const place = (share) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - share);

function line(values, most, name) {
  const step = (WIDTH - LEFT - RIGHT) / (KEEP - 1), from = KEEP - values.length;
  const points = values.map((value, index) =>
    `${(LEFT + (from + index) * step).toFixed(1)},${place(Math.min(1, value / most)).toFixed(1)}`).join(" ");
  return svg("polyline", { points, class: name, id: `${name}-line` });
}

function axes(fps, latency) {
  const parts = [];
  for (const share of [0, 0.5, 1]) {
    const y = place(share);
    parts.push(svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y, class: "grid" }),
      svg("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end", class: "fps" }, String(fps * share)),
      svg("text", { x: WIDTH - RIGHT + 6, y: y + 4, class: "latency" }, `${latency * share} ms`));
  }
  for (const [seconds, share] of [[60, 0], [40, 1 / 3], [20, 2 / 3], [0, 1]]) {
    const x = LEFT + (WIDTH - LEFT - RIGHT) * share;
    parts.push(svg("text", { x, y: HEIGHT - 6, "text-anchor": "middle" }, seconds ? `${seconds} s ago` : "now"));
  }
  return parts;
}

function draw() {
  const fps = roundUp(Math.max(30, ...past.fps)), latency = roundUp(Math.max(50, ...past.latency));
  const last = (values) => values.at(-1)?.toFixed(0) ?? 0;
  const label = `The last minute: ${last(past.fps)} frames per second and ${last(past.latency)} ms of latency now`;
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
  picture.append(...axes(fps, latency), line(past.fps, fps, "fps"), line(past.latency, latency, "latency"));
  $("plot").replaceChildren(picture, make("p", { className: "hint legend" },
    make("span", { className: "fps", textContent: "frames per second" }), " ",
    make("span", { className: "latency", textContent: "latency" })));
}

export function begin() {
  on("stats", (stats) => {
    past.fps = [...past.fps, stats.fps].slice(-KEEP);
    past.latency = [...past.latency, stats.latency_ms].slice(-KEEP);
    if (!$("statistics").open) return;
    draw();
    const rows = Object.entries(stats.stages_ms ?? {}).map(([stage, value]) => [stage, `${value} ms`]);
    rows.push(["frames dropped", stats.dropped ?? 0], ["memory", `${stats.memory_mb ?? 0} MB`]);
    $("stages").replaceChildren(...rows.map(([name, value]) => make("div", {},
      make("dt", { textContent: name }), make("dd", { textContent: value }))));
  });
  $("statistics").addEventListener("toggle", () => { if ($("statistics").open) draw(); });
}
