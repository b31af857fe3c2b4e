// Documents of the library that are selected to be moved, tried again or deleted together. Without it the boxes and the
// buttons are a plain form, and a page asks whether it is meant.

import { h } from "./dom.js";

const form = document.getElementById("selection");
const rows = document.getElementById("rows");
const all = document.getElementById("pick-all");

let last = null; // the box that was clicked last: with Shift, all from there are

function boxes() {
  return [...rows.querySelectorAll("[data-pick]")];
}

function picked() {
  return boxes().filter((box) => box.checked);
}

function showPicked() {
  const there = boxes();
  const chosen = picked();
  const count = form.querySelector("[data-picked]");
  const text = chosen.length ? `${chosen.length} of ${there.length} selected` : "Select documents to change several at once.";
  if (count.textContent !== text) count.textContent = text;
  form.hidden = there.length === 0;
  form.classList.toggle("active", chosen.length > 0);
  all.checked = chosen.length > 0 && chosen.length === there.length;
  all.indeterminate = chosen.length > 0 && chosen.length < there.length;
  const failed = chosen.some((box) => box.closest("tr").dataset.status === "failed");
  for (const button of form.querySelectorAll("button")) {
    button.disabled = button.value === "retry" ? !failed : chosen.length === 0;
  }
}

function pickedAt({ target, shiftKey }) {
  if (!target.matches("[data-pick]")) return;
  const there = boxes();
  const [from, to] = [there.indexOf(last), there.indexOf(target)].sort((a, b) => a - b);
  if (shiftKey && from >= 0) for (const box of there.slice(from, to + 1)) box.checked = target.checked;
  last = target;
}

// The dialog of a single document, for those that are selected: it names them, and posts where the selection does.
export function fillDialog(dialog, opener) {
  const chosen = picked();
  const names = chosen.map((box) => box.closest("tr").querySelector("[data-link]").textContent);
  const hidden = (name, value) => h("input", { type: "hidden", name, value });
  dialog.querySelector("form").setAttribute("action", form.getAttribute("action")); // `form.action` is its buttons
  dialog.querySelector("[data-name]").textContent = `${chosen.length} document${chosen.length === 1 ? "" : "s"}`;
  dialog.querySelector("[data-several]").replaceChildren(
    h("ul", { class: "list names", tabindex: "0", "aria-label": "Their names" }, ...names.map((name) => h("li", {}, name))),
    hidden("action", opener.value),
    hidden("confirmed", "yes"),
    ...chosen.map((box) => hidden("document", box.value)),
  );
}

export function enhanceSelection() {
  if (!form) return;
  form.querySelector("[data-picked]").setAttribute("role", "status");
  all.parentElement.hidden = false;
  rows.addEventListener("click", pickedAt);
  rows.addEventListener("change", showPicked);
  all.addEventListener("change", () => {
    for (const box of boxes()) box.checked = all.checked;
    showPicked();
  });
  // Rows come, go and fail while the page is open.
  new MutationObserver(showPicked).observe(rows, { childList: true, subtree: true, attributeFilter: ["data-status"] });
  addEventListener("pageshow", showPicked); // a browser may remember the boxes
  showPicked();
}
