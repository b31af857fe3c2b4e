// The library page: uploads by drag and drop, live states of documents, dialogs. Without it the page works as plain
// forms. What the server tells over the socket is the state of one document; after a gap the page asks for all of them.

import { enhanceSelection, fillDialog } from "./selection.js";
import { AskSocket } from "./socket.js";
import { enhanceUpload, LOGGED_OUT } from "./uploads.js";

const section = document.getElementById("documents");
const rows = document.getElementById("rows");
const live = document.getElementById("live");

const COUNT_PAUSE = 1500;
const TELL_PAUSE = 10000;

// ---- dialogs: each button opens one, which posts to the address of its row
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) {
    event.preventDefault(); // those of the selection would be sent, which is what they do without this script
    openDialog(opener);
  }
  if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
});

// A second press while a form is on its way sends nothing again.
document.addEventListener("submit", (event) => {
  if (event.target.method !== "post" || event.target.id === "upload") return;
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

function openDialog(opener) {
  const dialog = document.getElementById(opener.dataset.open);
  const row = opener.closest("tr");
  dialog.querySelector("[data-several]")?.replaceChildren();
  if (opener.form?.id === "selection") fillDialog(dialog, opener);
  else if (row) {
    dialog.querySelector("form").setAttribute("action", address(row.dataset.id, opener.dataset.open));
    dialog.querySelector("[data-name]").textContent = row.querySelector("[data-link]").textContent;
  }
  dialog.showModal();
}

function address(id, action) {
  return `/library/${id}/${action}/`;
}

// ---- rows. A list that is narrowed takes up new ones only as the server lists them.
const narrowed = section?.dataset.narrowed;

function show(state, listed = !narrowed) {
  if (state.collection !== section.dataset.collection) return drop(state.id);
  let row = rowOf(state.id);
  if (!row) {
    if (!section.dataset.first || !listed) return;
    row = document.getElementById("row").content.firstElementChild.cloneNode(true);
    row.dataset.id = state.id;
    row.querySelector("[data-action=retry]").action = address(state.id, "retry");
    rows.prepend(row);
  }
  const before = row.dataset.status;
  const settled = state.status === "ready" || state.status === "failed";
  const link = row.querySelector("[data-link]");
  const pick = row.querySelector("[data-pick]");
  row.dataset.status = state.status;
  if (pick) {
    pick.value = state.id;
    row.querySelector("[data-pick-name]").textContent = state.title;
  }
  link.textContent = state.title;
  if (state.chunks) link.href = state.url;
  row.querySelector("[data-name]").textContent = state.title === state.name ? "" : state.name;
  row.querySelector("[data-reason]").textContent = state.reason;
  row.querySelector("[data-chunks]").textContent = state.chunks || "";
  const badge = row.querySelector("[data-said]");
  badge.textContent = state.said;
  badge.className = `badge ${{ ready: "good", failed: "bad" }[state.status] || "accent busy"}`;
  const progress = row.querySelector("[data-progress]");
  progress.value = state.progress;
  progress.hidden = settled;
  row.querySelector("[data-action=retry]").hidden = state.status !== "failed";
  if (settled && before !== state.status) tell(state);
  document.getElementById("none").hidden = rows.children.length > 0;
}

function rowOf(id) {
  return rows.querySelector(`[data-id="${CSS.escape(id)}"]`);
}

function drop(id) {
  rowOf(id)?.remove();
  document.getElementById("none").hidden = rows.children.length > 0;
}

function announce(text) {
  live.textContent = text;
}

// Of a hundred that settle one after another a listener hears now and then how many there were, and of the last at once.
const untold = [];
let telling = null;

function tell(state) {
  untold.push(state);
  const busy = rows.querySelector("tr:not([data-status=ready], [data-status=failed])");
  if (busy) telling ??= setTimeout(tellAll, TELL_PAUSE);
  else tellAll();
}

function tellAll() {
  clearTimeout(telling);
  telling = null;
  const told = untold.splice(0);
  const failed = told.filter((state) => state.status === "failed");
  if (told.length === 1) announce(`${told[0].title}: ${told[0].said}. ${told[0].reason}`);
  else announce(`${told.length - failed.length} documents are ready, ${failed.length} failed.`);
}

async function states() {
  const response = await fetch(section.dataset.states, { headers: { Accept: "application/json" } });
  const isOurs = response.ok && !response.redirected; // to the login page
  return isOurs ? response.json() : { documents: null, collections: [] };
}

function added(documents) {
  documents.forEach((state) => show(state));
  countSoon();
}

// The cards count all pages and all collections, which this page does not know.
let counting = null;

function countSoon() {
  counting ??= setTimeout(async () => {
    counting = null;
    if (narrowed) reload();
    else count((await states()).collections);
  }, COUNT_PAUSE);
}

function count(collections) {
  for (const { slug, documents, failed } of collections) {
    const card = document.querySelector(`[data-card="${CSS.escape(slug)}"]`);
    if (!card) continue;
    card.querySelector("[data-counted]").textContent = `${documents} document${documents === 1 ? "" : "s"}`;
    card.querySelector("[data-failed]").textContent = `${failed} failed`;
    card.querySelector("[data-failed]").hidden = failed === 0;
  }
}

async function reload() {
  const { documents, collections } = await states();
  if (!documents) return;
  count(collections);
  const known = new Set(documents.map((state) => state.id));
  for (const row of [...rows.children]) if (!known.has(row.dataset.id)) row.remove();
  documents.reverse().forEach((state) => show(state, true));
}

// Who has chosen one of many collections sees its documents, and not the cards again.
function showChosen() {
  const isNew = performance.getEntriesByType("navigation")[0]?.type === "navigate"; // else it is where it was
  const wasChosen = new URLSearchParams(location.search).has("collection");
  if (isNew && wasChosen && section.getBoundingClientRect().top > 0.6 * innerHeight) section.scrollIntoView();
}

if (section) {
  showChosen();
  enhanceSelection();
  const form = document.getElementById("upload");
  if (form) enhanceUpload(form, { section, announce, added });
  const socket = new AskSocket("/ws/library/");
  socket.addEventListener("frame", ({ detail }) => {
    if (detail.type === "open") reload();
    else if (detail.type === "document") show(detail);
    else if (detail.type === "gone") drop(detail.id);
    if (detail.type !== "open") countSoon();
  });
  socket.addEventListener("refused", () => {
    document.getElementById("logged-out").textContent = LOGGED_OUT;
    document.getElementById("logged-out").hidden = false;
  });
  socket.connect();
}
