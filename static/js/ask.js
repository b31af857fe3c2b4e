// The ask page: the runs of this conversation, and what goes over the socket for them.

import { Composer } from "./composer.js";
import { Conversations } from "./conversations.js";
import { scrolling, uuid } from "./dom.js";
import { RunView } from "./run.js";
import { AskSocket } from "./socket.js";

const SILENCE = 25000; // longer than any answer may take: the line is dead then, whatever the browser thinks
const UNHEARD = 8000; // longer than it takes to acknowledge a question
const OFFLINE = "This device is offline. What you ask is sent, and answers go on, once it is back.";
const PENDING = "citefirst.pending";

const find = (id) => document.getElementById(id);
const data = JSON.parse(find("page").textContent);

class AskPage {
  constructor() {
    this.names = new Map(data.collections.map(({ slug, name }) => [slug, name || slug]));
    this.conversation = data.conversation;
    this.views = new Map();
    this.asked = new Map();
    this.opening = null;
    this.silence = null;
    this.conversations = new Conversations();
    this.socket = new AskSocket("/ws/ask/");
    this.socket.addEventListener("open", () => this.opened());
    this.socket.addEventListener("lost", (event) => this.lost(event.detail.failures));
    this.socket.addEventListener("refused", () => this.loggedOut());
    this.socket.addEventListener("frame", (event) => this.received(event.detail));
    this.tabs = new BroadcastChannel("citefirst");
    this.tabs.addEventListener("message", (event) => this.otherTab(event.data));
    this.composer = new Composer(this.names, data.longest);
    this.composer.addEventListener("ask", (event) => this.ask(event.detail));
    this.composer.addEventListener("typing", (event) => this.typed(event.detail));
    addEventListener("offline", () => this.connection(OFFLINE));
    addEventListener("online", () => this.socket.isOpen && this.connection(""));
    this.bindKeys();
    this.restore();
    this.socket.connect();
    this.composer.start();
  }

  // ---- runs

  restore() {
    for (const stored of data.runs) {
      const view = this.add(stored);
      if (stored.status !== "running") view.restore(stored);
    }
    const latest = data.runs.at(-1);
    if (latest) {
      this.composer.choose(latest.collections);
      this.views.get(latest.id).element.scrollIntoView({ block: "start" });
    }
    this.restorePending();
    this.update();
  }

  // Questions that were sent and never acknowledged are sent again with their ids: they cannot run twice.
  restorePending() {
    const { user, page, frames } = JSON.parse(sessionStorage.getItem(PENDING) || "{}");
    if (user === data.user && page === this.conversation) {
      for (const frame of frames.filter(({ id }) => !this.views.has(id))) {
        this.asked.set(frame.id, frame);
        this.add(frame);
        this.opening = frame.conversation;
      }
    }
    this.keep();
  }

  keep() {
    const frames = Array.from(this.asked.values());
    if (frames.length) sessionStorage.setItem(PENDING, JSON.stringify({ user: data.user, page: this.conversation, frames }));
    else sessionStorage.removeItem(PENDING);
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
    // A new conversation gets its id here: a second question may come before the first is acknowledged.
    this.opening ??= uuid();
    const conversation = this.conversation ?? this.opening;
    const frame = { type: "ask", id: uuid(), question, conversation, collections, fresh };
    this.asked.set(frame.id, frame);
    this.keep();
    if (data.earlier) {
      location.assign(`/c/${conversation}/`); // where the conversation goes on, and this is asked
      return;
    }
    const view = this.add(frame);
    this.socket.send(frame);
    this.watch();
    this.update();
    view.element.scrollIntoView({ block: "start", behavior: scrolling() });
    this.announce("Searching.");
  }

  // A hint lets the server look ahead; it is never answered.
  typed(text) {
    this.socket.send({ type: "typing", text, conversation: this.conversation });
  }

  edit({ question, collections }) {
    this.composer.choose(collections);
    this.composer.edit(question);
  }

  stop() {
    for (const view of this.active) {
      view.stopping = true; // told again after a reconnection
      this.socket.send({ type: "stop", run: view.id });
    }
  }

  ended(view) {
    this.asked.delete(view.id);
    this.keep();
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
    const isNew = this.asked.has(frame.run);
    this.asked.delete(frame.run);
    if (!this.conversation) {
      this.conversation = frame.conversation;
      history.replaceState(null, "", `/c/${frame.conversation}/`);
      document.title = `${frame.question.slice(0, 80)} · Citefirst`;
    }
    this.keep();
    if (!isNew) return;
    this.conversations.show(frame.conversation, frame.question);
    this.tabs.postMessage({ conversation: frame.conversation, id: frame.run, question: frame.question });
  }

  // The same conversation in another tab: its new question is followed here too.
  otherTab({ conversation, id, question }) {
    if (conversation !== this.conversation || data.earlier || this.views.has(id)) return;
    this.add({ id, question });
    this.socket.send({ type: "resume", run: id, after: 0 });
    this.update();
  }

  watch() {
    clearTimeout(this.silence);
    if (!this.active.length) return;
    const dead = () => {
      this.socket.renew();
      this.watch();
    };
    this.silence = setTimeout(dead, this.asked.size ? UNHEARD : SILENCE);
  }

  lost(failures) {
    if (failures < 2) return;
    this.connection(navigator.onLine ? "The connection is lost. Trying again …" : OFFLINE);
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
    clearTimeout(this.silence);
    this.connection("You have been logged out. Reload the page to log in again.");
  }

  connection(text) {
    find("connection").textContent = text;
    find("connection").hidden = !text;
  }

  // ---- the page

  bindKeys() {
    find("stop").addEventListener("click", () => this.stop());
    document.addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("click", (event) => this.clicked(event));
  }

  key(event) {
    const writing = event.target.closest("input, textarea, select, dialog");
    if (event.key === "/" && !writing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      this.composer.focus();
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
    this.ask({ question: example.textContent, collections: this.composer.chosen() });
    if (matchMedia("(pointer: fine)").matches) this.composer.focus();
  }

  update() {
    const stop = find("stop");
    const hadFocus = document.activeElement === stop;
    stop.hidden = this.active.length === 0;
    if (hadFocus && stop.hidden) this.composer.focus();
  }

  announce(text) {
    find("announce").textContent = text;
  }
}

new AskPage();
