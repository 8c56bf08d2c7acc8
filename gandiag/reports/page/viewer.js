"use strict";
// Viewers of a lesson: the pictures of a run one after the other, with the numbers of each.
const format = (value) => (value === undefined ? "-" : value && Math.abs(value) < 1e-3 ? "about 0" : String(+value.toPrecision(2)));
for (const viewer of document.querySelectorAll(".viewer")) {
  const figures = [...viewer.querySelectorAll(".stage figure")];
  const control = (name) => viewer.querySelector(`[data-do="${name}"]`);
  const numbers = figures.map((figure) => JSON.parse(figure.dataset.numbers));
  // The arrow has its full width at the largest gradient of the run, so that it shows vanishing.
  const largest = Math.max(...numbers.map((n) => n.gradient ?? 0)) || 1;
  let at = figures.length - 1, timer = 0;

  function show(index) {
    at = Math.max(0, Math.min(figures.length - 1, index));
    figures.forEach((figure, i) => figure.classList.toggle("current", i === at));
    const seek = control("seek");
    seek.value = at;
    seek.setAttribute("aria-valuetext", `step ${figures[at].dataset.step}`);
    for (const text of viewer.querySelectorAll("[data-number]")) {
      text.textContent = format(numbers[at][text.dataset.number]);
    }
    viewer.querySelector(".gradient").style.strokeWidth = 0.5 + 9 * ((numbers[at].gradient ?? 0) / largest);
  }

  function pause() {
    clearInterval(timer);
    timer = 0;
    control("play").textContent = "Play";
    control("play").setAttribute("aria-pressed", "false");
  }

  function play() {
    if (at === figures.length - 1) show(0);
    clearInterval(timer);
    timer = setInterval(() => (at === figures.length - 1 ? pause() : show(at + 1)), +control("speed").value);
    control("play").textContent = "Pause";
    control("play").setAttribute("aria-pressed", "true");
  }

  control("play").addEventListener("click", () => (timer ? pause() : play()));
  control("back").addEventListener("click", () => { pause(); show(at - 1); });
  control("next").addEventListener("click", () => { pause(); show(at + 1); });
  control("seek").addEventListener("input", (event) => { pause(); show(+event.target.value); });
  control("speed").addEventListener("change", () => { if (timer) play(); });
  viewer.classList.add("playing");
  for (const part of viewer.querySelectorAll("[hidden]")) part.hidden = false;
  show(at);
}
