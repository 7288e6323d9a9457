// A picture before and after, with a divider that is moved like a slider, and zoom.

import { make } from "/static/core.js";

const ZOOMS = [1, 1.5, 2, 3, 4, 6, 8];

/** A viewer in `place`. Returns `show(before, after)`, `wait(text)` and `hide()`. */
export function viewer(place) {
  const after = make("img", { className: "after chequered", alt: "The result" });
  const before = make("img", { className: "before", alt: "The photo as it was" });
  const divider = make("input", { type: "range", min: 0, max: 100, value: 50, className: "divider",
    ariaLabel: "How much of the photo as it was is shown" });
  const handle = make("span", { className: "handle" });
  const sheet = make("div", { className: "sheet" }, after, before, divider, handle);
  const pane = make("div", { className: "pane" }, sheet);
  const level = make("output", { textContent: "1x" });
  const step = (by) => { at = Math.min(ZOOMS.length - 1, Math.max(0, at + by)); zoomed(); };
  const button = (textContent, ariaLabel, by) => {
    const made = make("button", { type: "button", className: "small", textContent, ariaLabel });
    made.addEventListener("click", () => step(by));
    return made;
  };
  const less = button("−", "Zoom out", -1), more = button("+", "Zoom in", 1);
  const note = make("span", { className: "wait", hidden: true });
  let at = 0;

  function zoomed() {
    const { scrollWidth: width, scrollHeight: height } = pane;
    const middle = [(pane.scrollLeft + pane.clientWidth / 2) / width, (pane.scrollTop + pane.clientHeight / 2) / height];
    sheet.style.setProperty("--zoom", ZOOMS[at]);
    level.textContent = `${ZOOMS[at]}x`;
    [less.disabled, more.disabled] = [at === 0, at === ZOOMS.length - 1];
    pane.scrollLeft = middle[0] * pane.scrollWidth - pane.clientWidth / 2;
    pane.scrollTop = middle[1] * pane.scrollHeight - pane.clientHeight / 2;
  }

  function fit() { // the whole picture in the pane; the zoom starts from there
    const share = after.naturalWidth / after.naturalHeight, high = 0.62 * window.innerHeight;
    if (share && place.clientWidth) sheet.style.setProperty("--fit", `${Math.round(Math.min(place.clientWidth, high * share))}px`);
  }

  function divide() {
    sheet.style.setProperty("--cut", `${divider.value}%`);
    divider.setAttribute("aria-valuetext", `${divider.value} percent`);
  }

  after.addEventListener("load", fit);
  new ResizeObserver(fit).observe(place); // also when its room is shown
  divider.addEventListener("input", divide);
  before.addEventListener("error", () => { before.hidden = divider.hidden = handle.hidden = sides.hidden = true; }); // HEIC, TIFF
  pane.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    step(event.deltaY < 0 ? 1 : -1);
  }, { passive: false });
  const sides = make("p", { className: "labels" }, make("span", { textContent: "before" }), make("span", { textContent: "after" }));
  place.append(make("div", { className: "bar zoom", role: "group", ariaLabel: "Zoom" }, less, level, more, note),
    make("div", { className: "frame" }, pane, sides));
  pane.tabIndex = 0; // scrolls by keyboard when zoomed
  pane.setAttribute("role", "group");
  pane.setAttribute("aria-label", "Before and after");
  divide();
  zoomed();

  return {
    show(beforeUrl, afterUrl) {
      if (before.dataset.url !== beforeUrl) {
        before.dataset.url = before.src = beforeUrl;
        before.hidden = divider.hidden = handle.hidden = sides.hidden = false;
        at = 0;
        zoomed();
      }
      after.src = afterUrl;
      place.hidden = pane.hidden = false;
      this.wait("");
    },
    wait(text) {
      note.textContent = text;
      note.hidden = !text;
      place.classList.toggle("waiting", Boolean(text));
      if (text) place.hidden = false;
    },
    hide() {
      place.hidden = true;
      after.removeAttribute("src");
    },
  };
}
