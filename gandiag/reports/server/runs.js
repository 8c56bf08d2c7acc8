"use strict";
// The list is fetched again; what was chosen, and what has the focus, stays so.
const mark = (element) => element && (element.value || element.getAttribute("href"));

async function renew() {
  const answer = await fetch("", { cache: "no-store" }).catch(() => null);
  if (!answer || !answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector("main");
  const chosen = new Set([...document.querySelectorAll("input:checked")].map(mark));
  const focused = mark(document.activeElement);
  for (const box of fresh.querySelectorAll("input")) box.checked = chosen.has(box.value);
  document.querySelector("main").replaceWith(fresh);
  const again = [...fresh.querySelectorAll("input, a, button")].find((e) => mark(e) === focused);
  if (focused && again) again.focus({ preventScroll: true });
}

setInterval(renew, 5000);
