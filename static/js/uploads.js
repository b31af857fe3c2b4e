// Files on their way to the server: one request a file, two at a time, so that one that fails stops no other.

import { h } from "./dom.js";

export const LOGGED_OUT = "You have been logged out. Reload the page to log in again.";
const LOST = "It could not be sent: the connection broke off, or the server has no room for it. Try again.";
const BARRED = "It is too large for a server on the way here. Tell an administrator: a proxy's limit is too low.";
const WORKERS = 2;

let page = null; // the library's: section, announce(text), added(states)
const waiting = [];
const working = new Map(); // item -> its request
const batch = { all: 0, sent: 0, cancelled: 0 };

function take(files) {
  const limit = Number(page.section.dataset.limit) * 2 ** 20;
  if (!underWay()) Object.assign(batch, { all: 0, sent: 0, cancelled: 0 });
  for (const file of files) {
    const bar = h("progress", { max: 100, value: 0, "aria-label": `Sending ${file.name}` });
    const note = h("span", { class: "small" });
    const item = h("li", {}, h("span", { class: "grow clip" }, file.name), bar, note);
    document.getElementById("sending").append(item);
    if (file.size > limit) refuse(item, bar, note, `Over the limit of ${page.section.dataset.limit} MB.`);
    else {
      batch.all += 1;
      waiting.push({ file, item, bar, note });
    }
  }
  pump();
}

function underWay() {
  return waiting.length + working.size;
}

function countSent() {
  const line = document.getElementById("uploads");
  line.hidden = batch.all === 0 || (!underWay() && !batch.cancelled);
  line.querySelector("[data-cancel]").hidden = !underWay();
  const rest = batch.cancelled ? `, ${batch.cancelled} cancelled` : "";
  line.querySelector("[data-sent]").textContent = `${batch.sent} of ${batch.all} sent${rest}`;
}

function cancelRest() {
  batch.cancelled += underWay();
  for (const { item } of waiting.splice(0)) item.remove();
  for (const [item, request] of [...working]) {
    item.remove();
    request.abort();
  }
  page.announce(`${batch.cancelled} of ${batch.all} files were not sent.`);
  document.getElementById("file").focus();
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
  while (working.size < WORKERS && waiting.length) send(waiting.shift()).then(pump);
  countSent();
}

function send({ file, item, bar, note }) {
  const form = document.getElementById("upload");
  const body = new FormData();
  body.append("csrfmiddlewaretoken", form.querySelector("[name=csrfmiddlewaretoken]").value);
  body.append("collection", page.section.dataset.collection);
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
    working.set(item, request);
    request.addEventListener("loadend", () => {
      working.delete(item);
      if (request.status === 202) {
        batch.sent += 1;
        if (page.section.dataset.narrowed) settle(item, bar, note, "good", "Added. It is listed below if it fits what you look for.");
        else item.remove();
        page.added(request.response.documents);
      } else if (item.isConnected) { // else it was cancelled
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
  page.announce(`${item.firstChild.textContent}: ${reason}`);
}

function settle(item, bar, note, how, text) {
  bar?.remove();
  note.className = `badge ${how}`;
  note.textContent = text;
}

export function enhanceUpload(form, library) {
  page = library;
  const input = form.querySelector("input[type=file]");
  form.querySelector("[data-plain]").hidden = true;
  input.addEventListener("change", () => {
    take(input.files);
    input.value = "";
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  document.querySelector("[data-cancel]").addEventListener("click", cancelRest);
  addEventListener("beforeunload", (event) => {
    if (underWay()) event.preventDefault(); // what has not been sent would be lost without a word
  });
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
