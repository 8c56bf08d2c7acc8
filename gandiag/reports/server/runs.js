"use strict";
// Updates the list of runs. Chosen runs stay chosen, and the focus stays where it was.
const keyOf = (element) => element && (element.value || element.getAttribute("href"));

async function update() {
  const answer = await fetch("", { cache: "no-store" }).catch(() => null);
  if (!answer || !answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector("main");
  const chosen = new Set([...document.querySelectorAll("input:checked")].map(keyOf));
  const focused = keyOf(document.activeElement);
  for (const box of fresh.querySelectorAll("input")) box.checked = chosen.has(box.value);
  document.querySelector("main").replaceWith(fresh);
  const again = [...fresh.querySelectorAll("input, a, button")].find((e) => keyOf(e) === focused);
  if (focused && again) again.focus({ preventScroll: true });
}

setInterval(update, 5000);
