// The ask page: the question box, the runs of this conversation, and what goes over the socket for them.

import { Conversations } from "./conversations.js";
import { scrolling, uuid } from "./dom.js";
import { RunView } from "./run.js";
import { AskSocket } from "./socket.js";

const TYPING_PAUSE = 180;
const SILENCE = 25000; // longer than any answer may take: the line is dead then, whatever the browser thinks
const PENDING = "citefirst.pending";

const find = (id) => document.getElementById(id);
const data = JSON.parse(find("page").textContent);

class AskPage {
  constructor() {
    this.names = new Map(data.collections.map(({ slug, name }) => [slug, name || slug]));
    this.conversation = data.conversation;
    this.views = new Map();
    this.asked = new Map();
    this.silence = null;
    this.box = find("question");
    this.conversations = new Conversations();
    this.socket = new AskSocket("/ws/ask/");
    this.socket.addEventListener("open", () => this.opened());
    this.socket.addEventListener("lost", (event) => this.lost(event.detail.failures));
    this.socket.addEventListener("refused", () => this.loggedOut());
    this.socket.addEventListener("frame", (event) => this.received(event.detail));
    this.tabs = new BroadcastChannel("citefirst");
    this.tabs.addEventListener("message", (event) => this.otherTab(event.data));
    this.bindComposer();
    this.restore();
    this.socket.connect();
    if (this.box.value.endsWith("\n")) this.submit(); // Enter was pressed before this script had come
    find("composer").dataset.ready = "yes";
  }

  // ---- runs

  restore() {
    for (const stored of data.runs) {
      const view = this.add(stored);
      if (stored.status !== "running") view.restore(stored);
    }
    const latest = data.runs.at(-1);
    if (latest) {
      this.choose(latest.collections);
      this.views.get(latest.id).element.scrollIntoView({ block: "start" });
    }
    this.restorePending();
    this.update();
  }

  // A question that was sent and never acknowledged is sent again with its id: it cannot run twice.
  restorePending() {
    const pending = JSON.parse(sessionStorage.getItem(PENDING) || "null");
    sessionStorage.removeItem(PENDING);
    if (!pending || this.views.has(pending.id) || pending.conversation !== this.conversation) return;
    this.asked.set(pending.id, pending);
    this.add(pending);
  }

  add(run) {
    find("empty")?.remove();
    document.body.classList.remove("new");
    const view = new RunView(run, this);
    this.views.set(run.id, view);
    find("runs").append(view.element);
    return view;
  }

  get active() {
    return Array.from(this.views.values()).filter((view) => !view.ended);
  }

  ask({ question, collections = null, fresh = false }) {
    const frame = { type: "ask", id: uuid(), question, conversation: this.conversation, collections, fresh };
    const view = this.add(frame);
    this.asked.set(frame.id, frame);
    sessionStorage.setItem(PENDING, JSON.stringify(frame));
    this.socket.send(frame);
    this.watch();
    this.update();
    view.element.scrollIntoView({ block: "start", behavior: scrolling() });
    this.announce("Searching.");
  }

  stop() {
    for (const view of this.active) {
      view.stopping = true; // told again after a reconnection
      this.socket.send({ type: "stop", run: view.id });
    }
  }

  ended(view) {
    this.asked.delete(view.id);
    this.update();
  }

  // ---- the socket

  opened() {
    this.connection("");
    for (const view of this.active) {
      const frame = this.asked.get(view.id);
      this.socket.send(frame && view.seq === 0 ? frame : { type: "resume", run: view.id, after: view.seq });
      if (view.stopping) this.socket.send({ type: "stop", run: view.id });
      view.catchingUp = false;
    }
    this.watch();
  }

  received(frame) {
    const view = this.views.get(frame.run);
    if (!view || view.ended) return;
    this.watch();
    const refused = frame.type === "error"; // a refusal is no part of the numbered stream
    if (!refused && frame.seq <= view.seq) return;
    if (!refused && frame.seq > view.seq + 1) {
      if (!view.catchingUp) this.socket.send({ type: "resume", run: view.id, after: view.seq });
      view.catchingUp = true;
      return;
    }
    view.catchingUp = false;
    if (frame.type === "accepted") this.accepted(frame);
    view.apply(frame);
  }

  accepted(frame) {
    sessionStorage.removeItem(PENDING);
    const isNew = this.asked.has(frame.run);
    this.asked.delete(frame.run);
    if (!this.conversation) {
      this.conversation = frame.conversation;
      history.replaceState(null, "", `/c/${frame.conversation}/`);
      document.title = `${frame.question.slice(0, 80)} · Citefirst`;
    }
    if (!isNew) return;
    this.conversations.show(frame.conversation, frame.question);
    this.tabs.postMessage({ conversation: frame.conversation, id: frame.run, question: frame.question });
  }

  // The same conversation in another tab: its new question is followed here too.
  otherTab({ conversation, id, question }) {
    if (conversation !== this.conversation || this.views.has(id)) return;
    this.add({ id, question });
    this.socket.send({ type: "resume", run: id, after: 0 });
    this.update();
  }

  watch() {
    clearTimeout(this.silence);
    if (this.active.length) this.silence = setTimeout(() => this.socket.renew(), SILENCE);
  }

  lost(failures) {
    if (failures < 2) return;
    this.connection("The connection is lost. Trying again …");
    if (failures === 3) this.checkLogin();
  }

  // A browser does not tell why a socket was refused; a page that wants a login does.
  async checkLogin() {
    try {
      const page = await fetch("/", { method: "HEAD", redirect: "manual" });
      if (page.type === "opaqueredirect") this.loggedOut();
    } catch {
      // No network: the pauses go on.
    }
  }

  loggedOut() {
    this.connection("You have been logged out. Reload the page to log in again.");
  }

  connection(text) {
    find("connection").textContent = text;
    find("connection").hidden = !text;
  }

  // ---- the question box

  bindComposer() {
    const form = find("composer");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.submit();
    });
    this.box.addEventListener("input", () => {
      this.fit();
      this.hint();
    });
    find("stop").addEventListener("click", () => this.stop());
    find("filter")?.addEventListener("change", () => this.labelFilter());
    document.addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("click", (event) => this.clicked(event));
  }

  key(event) {
    const writing = event.target.closest("input, textarea, select, dialog");
    if (event.key === "/" && !writing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      this.box.focus();
    } else if (event.key === "Escape" && !event.target.closest("dialog")) {
      const menu = document.querySelector("details.menu[open]");
      if (menu) {
        menu.open = false;
        menu.querySelector("summary").focus();
      } else this.stop();
    }
  }

  clicked(event) {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
    const example = event.target.closest("[data-example]");
    if (!example) return;
    this.ask({ question: example.textContent, collections: this.chosen() });
    if (matchMedia("(pointer: fine)").matches) this.box.focus();
  }

  submit() {
    const question = this.box.value.trim();
    if (!question) return;
    this.box.value = "";
    clearTimeout(this.typing);
    this.fit();
    this.ask({ question, collections: this.chosen() });
    this.box.focus();
  }

  // A hint on every pause lets the server look ahead; it is never answered.
  hint() {
    clearTimeout(this.typing);
    const text = this.box.value.trim();
    if (text.length < 3) return;
    const send = () => this.socket.send({ type: "typing", text, conversation: this.conversation });
    this.typing = setTimeout(send, TYPING_PAUSE);
  }

  fit() {
    this.box.style.height = "auto";
    this.box.style.height = `${Math.min(this.box.scrollHeight + 2, innerHeight * 0.4)}px`;
  }

  chosen() {
    const boxes = Array.from(document.querySelectorAll("#filter input:checked"), (input) => input.value);
    return boxes.length ? boxes : null;
  }

  choose(collections) {
    for (const input of document.querySelectorAll("#filter input")) input.checked = (collections || []).includes(input.value);
    this.labelFilter();
  }

  labelFilter() {
    const label = find("filter-label");
    if (!label) return;
    const names = (this.chosen() || []).map((slug) => this.names.get(slug));
    label.textContent = names.length > 2 ? `${names.length} collections` : names.join(", ") || "All collections";
  }

  update() {
    find("stop").hidden = this.active.length === 0;
  }

  announce(text) {
    find("announce").textContent = text;
  }
}

new AskPage();
