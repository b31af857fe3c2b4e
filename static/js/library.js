// The library page: uploads by drag and drop, live states of documents, dialogs. Without it the page works as plain
// forms. What the server tells over the socket is the state of one document; after a gap the page asks for all of them.

import { AskSocket } from "./socket.js";
import { h } from "./dom.js";

const section = document.getElementById("documents");
const rows = document.getElementById("rows");
const live = document.getElementById("live");

const COUNT_PAUSE = 1500;
const LOST = "It could not be sent: the connection broke off, or the server has no room for it. Try again.";
const BARRED = "It is too large for a server on the way here. Tell an administrator: a proxy's limit is too low.";
const LOGGED_OUT = "You have been logged out. Reload the page to log in again.";

// ---- dialogs: each button opens one, which posts to the address of its row
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) openDialog(opener);
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
  if (row) {
    dialog.querySelector("form").action = address(row.dataset.id, opener.dataset.open);
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
  row.dataset.status = state.status;
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
  if (settled && before !== state.status) announce(`${state.title}: ${state.said}. ${state.reason}`);
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

async function states() {
  const response = await fetch(section.dataset.states, { headers: { Accept: "application/json" } });
  const isOurs = response.ok && !response.redirected; // to the login page
  return isOurs ? response.json() : { documents: null, collections: [] };
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

// ---- uploads: one request a file, two at a time, so that one that fails stops no other
const WORKERS = 2;
const waiting = [];
let working = 0;

function take(files) {
  const limit = Number(section.dataset.limit) * 2 ** 20;
  for (const file of files) {
    const bar = h("progress", { max: 100, value: 0, "aria-label": `Sending ${file.name}` });
    const note = h("span", { class: "small" });
    const item = h("li", {}, h("span", { class: "grow clip" }, file.name), bar, note);
    document.getElementById("sending").append(item);
    if (file.size > limit) refuse(item, bar, note, `Over the limit of ${section.dataset.limit} MB.`);
    else waiting.push({ file, item, bar, note });
  }
  pump();
}

// A folder is no file that could be sent: what is in it is, but for what is hidden, as `manage.py ingest` has it.
async function takeDropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return take(transfer.files);
  for (const entry of entries) {
    try {
      const files = await filesOf(entry);
      take(files);
      if (!files.length) announceRefused(entry.name, "There is no file in this folder.");
    } catch {
      announceRefused(entry.name, "It could not be read.");
    }
  }
}

async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // a hundred at a time
    if (!some.length) break;
    for (const each of some) if (!each.name.startsWith(".")) found.push(...(await filesOf(each)));
  }
  return found;
}

function announceRefused(name, reason) {
  const note = h("span", { class: "small" });
  const item = h("li", {}, h("span", { class: "grow clip" }, name), note);
  document.getElementById("sending").append(item);
  refuse(item, null, note, reason);
}

function pump() {
  while (working < WORKERS && waiting.length) {
    working += 1;
    send(waiting.shift()).finally(() => {
      working -= 1;
      pump();
    });
  }
}

function send({ file, item, bar, note }) {
  const form = document.getElementById("upload");
  const body = new FormData();
  body.append("csrfmiddlewaretoken", form.querySelector("[name=csrfmiddlewaretoken]").value);
  body.append("collection", section.dataset.collection);
  body.append("file", file);
  return new Promise((resolve) => {
    // fetch() cannot tell how much of a body it has sent.
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) bar.value = (100 * event.loaded) / event.total;
    });
    request.addEventListener("loadend", () => {
      if (request.status === 202) {
        if (narrowed) settle(item, bar, note, "good", "Added. It is listed below if it fits what you look for.");
        else item.remove();
        request.response.documents.forEach((state) => show(state));
        countSoon();
      } else {
        const loggedOut = request.responseURL.includes("/accounts/login/");
        const lost = { 0: LOST, 413: BARRED }[request.status] || "It could not be sent. Try again.";
        refuse(item, bar, note, loggedOut ? LOGGED_OUT : request.response?.error?.message || lost);
      }
      resolve();
    });
    request.send(body);
  });
}

function refuse(item, bar, note, reason) {
  settle(item, bar, note, "bad", reason);
  announce(`${item.firstChild.textContent}: ${reason}`);
}

function settle(item, bar, note, how, text) {
  bar?.remove();
  note.className = `badge ${how}`;
  note.textContent = text;
}

function enhanceUpload(form) {
  const input = form.querySelector("input[type=file]");
  form.querySelector("[data-plain]").hidden = true;
  input.addEventListener("change", () => {
    take(input.files);
    input.value = "";
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  // Anywhere on the page: a browser opens a file that is dropped beside the field, and the page is gone.
  for (const name of ["dragenter", "dragover"]) {
    addEventListener(name, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      form.classList.add("over");
    });
  }
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) form.classList.remove("over"); // out of the window, not from one part to another
  });
  addEventListener("drop", (event) => {
    form.classList.remove("over");
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    takeDropped(event.dataTransfer);
  });
}

// Who has chosen one of many collections sees its documents, and not the cards again.
function showChosen() {
  const isNew = performance.getEntriesByType("navigation")[0]?.type === "navigate"; // else it is where it was
  const wasChosen = new URLSearchParams(location.search).has("collection");
  if (isNew && wasChosen && section.getBoundingClientRect().top > 0.6 * innerHeight) section.scrollIntoView();
}

if (section) {
  showChosen();
  const form = document.getElementById("upload");
  if (form) enhanceUpload(form);
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
