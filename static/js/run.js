// One question and its answer on the page: takes the frames of its run, in order, and shows them.

import { copyText, h, icon } from "./dom.js";
import { Streamed } from "./markdown.js";
import { SourceList } from "./sources.js";
import { timings } from "./timings.js";
import { badges, errorText, noticeText } from "./wording.js";

const COPY = "M7 7V3.5h9.5V13H13M3.5 7H13v9.5H3.5z";
const EDIT = "M3.5 16.5l1-4 8.5-8.5 3 3-8.5 8.5z";
const LONG = 400;
const PROVISIONAL = "provisional_extract";
const AGAIN = "M16 10a6 6 0 1 1-2-4.5M16 2.5V6h-3.5";

export class RunView {
  // `page` gives: names (collection slug -> name), announce(text), ask({question, collections, fresh}),
  // edit({question, collections}), ended(view).
  constructor({ id, question, collections = null }, page) {
    Object.assign(this, { id, question, collections, page });
    this.seq = 0;
    this.text = "";
    this.cited = [];
    this.ended = false;
    this.frame = null;
    this.build();
  }

  build() {
    this.sources = new SourceList(this.id, `question-${this.id}`, this.page.names, (n, on) => this.lightText(n, on));
    this.answer = h("div", { class: "answer" });
    this.streamed = new Streamed(this.answer, (n) => this.cite(n));
    this.status = h("p", { class: "run-status" }, h("span", { class: "dots", "aria-hidden": "true" }), h("span", {}, "Sending the question"));
    this.notices = h("ul", { class: "notices", "aria-label": "About this answer", hidden: true });
    this.foot = h("div", { class: "run-foot", hidden: true });
    const long = this.question.length > LONG; // it scrolls by itself, so that its answer is in sight
    const look = long ? { class: "run-question long", tabindex: 0 } : { class: "run-question" };
    const heading = h("h2", { ...look, id: `question-${this.id}` }, this.question);
    this.element = h(
      "article",
      { class: "run", "aria-labelledby": heading.id, dataset: { run: this.id, state: "waiting" } },
      heading,
      this.sources.element,
      h("div", { class: "run-main" }, this.status, this.answer, this.notices, this.foot),
    );
    this.answer.addEventListener("mouseover", (event) => this.pointed(event, true));
    this.answer.addEventListener("mouseout", (event) => this.pointed(event, false));
    this.answer.addEventListener("focusin", (event) => this.pointed(event, true));
    this.answer.addEventListener("focusout", (event) => this.pointed(event, false));
    this.answer.addEventListener("click", (event) => this.follow(event));
    this.sources.element.addEventListener("keydown", (event) => this.comeBack(event));
  }

  // ---- frames

  apply(frame) {
    if (this.ended) return;
    if (typeof frame.seq === "number" && frame.seq > 0) this.seq = frame.seq;
    const handler = {
      accepted: () => this.accepted(),
      citations: () => this.showSources(frame),
      delta: () => this.grow(this.text + frame.text),
      replace: () => this.grow(frame.text),
      notice: () => this.told(frame),
      done: () => this.done(frame),
      error: () => this.fail(frame),
    }[frame.type];
    if (handler) handler();
  }

  accepted() {
    this.say("Searching");
    this.element.dataset.state = "searching";
  }

  showSources(frame) {
    this.sources.show(frame.passages, { final: frame.final });
    this.say(frame.passages.length ? "Reading the sources" : "Searching");
    if (frame.final && frame.passages.length) {
      this.page.announce(`${frame.passages.length} ${frame.passages.length === 1 ? "source" : "sources"} found.`);
    }
    if (this.text) this.draw(true);
  }

  grow(text) {
    this.text = text;
    this.element.dataset.state = "answering";
    this.status.hidden = text !== "";
    if (this.frame === null) this.frame = requestAnimationFrame(() => this.draw());
  }

  draw(anew = false) {
    this.frame = null;
    if (this.ended) return;
    if (anew) this.streamed.shown = this.streamed.shown.map(() => null);
    this.streamed.show(this.text);
  }

  told({ code, message }) {
    const text = noticeText(code, message);
    this.notice(code, text);
    if (code === PROVISIONAL) this.page.announce(text);
  }

  done(frame) {
    this.settle(frame);
    const count = frame.cited.length;
    const suffix = count ? ` It cites ${count} ${count === 1 ? "source" : "sources"}.` : "";
    const labels = badges(frame.finish, frame.route, frame.degraded).map(([label]) => `, ${label.toLowerCase()}`);
    // The whole answer is read out once, when it stands; not word by word while it grows.
    this.page.announce(`Answer${labels.join("")}: ${this.aloud().slice(0, 1500)}${suffix}`);
    this.page.ended(this);
  }

  // A number that belongs to a source is heard as one, and not as a part of what is said.
  aloud() {
    const copy = this.answer.cloneNode(true);
    for (const link of copy.querySelectorAll("a.cite")) link.textContent = `(source ${link.dataset.n})`;
    return copy.textContent;
  }

  settle({ finish, route, cited, html, stages, degraded }) {
    this.ended = true;
    this.cited = cited;
    this.element.dataset.state = "done";
    this.element.dataset.finish = finish;
    this.status.hidden = true;
    this.showHtml(html);
    if (!html) {
      const nothing = finish === "stopped" ? "Stopped before there was an answer." : "There is no answer to this.";
      this.answer.replaceChildren(h("p", { class: "muted" }, nothing));
    }
    this.sources.element.classList.remove("provisional");
    this.sources.state.textContent = "";
    this.sources.settle(cited);
    if (!this.notices.childElementCount) for (const code of degraded) this.notice(code, noticeText(code));
    this.settleNotices(finish);
    this.footer(badges(finish, route, degraded), stages);
  }

  fail({ code, message, retry_after: wait }) {
    this.ended = true;
    this.element.dataset.state = "error";
    this.status.hidden = true;
    if (this.text) this.streamed.show(this.text);
    const told = errorText(code, message);
    const retry = h("button", { type: "button", class: "button small", onclick: () => this.again(false) }, "Try again");
    this.notices.hidden = false;
    this.notices.append(h("li", { class: "callout bad" }, h("p", {}, told), retry));
    if (wait > 0) this.countDown(retry, Math.ceil(wait));
    this.page.announce(wait > 0 ? `${told} You can try again in ${Math.ceil(wait)} seconds.` : told);
    this.page.ended(this);
  }

  countDown(button, seconds) {
    button.disabled = seconds > 0;
    button.textContent = seconds > 0 ? `Try again in ${seconds} s` : "Try again";
    if (seconds > 0) setTimeout(() => this.countDown(button, seconds - 1), 1000);
  }

  // ---- a run of earlier

  restore(stored) {
    this.sources.show(stored.passages, { final: true });
    if (stored.status === "error") {
      this.fail({ code: stored.error, message: "", retry_after: 0 });
      return;
    }
    if (!stored.hidden) {
      this.text = stored.answer;
      this.settle(stored);
      return;
    }
    this.ended = true;
    this.element.dataset.state = "done";
    this.status.hidden = true;
    const words = "This answer drew on documents that are no longer available to you, so it is not shown.";
    this.answer.replaceChildren(h("p", { class: "callout" }, words));
    this.footer([], []);
  }

  // ---- parts

  say(text) {
    this.status.hidden = this.text !== "";
    this.status.lastElementChild.textContent = text;
  }

  notice(code, text) {
    this.notices.hidden = false;
    if (Array.from(this.notices.children).some((item) => item.textContent === text)) return;
    this.notices.append(h("li", { dataset: { code } }, text));
  }

  // "Until it answers" is over. Where no model did, another notice says so.
  settleNotices(finish) {
    const first = this.notices.querySelector(`[data-code="${PROVISIONAL}"]`);
    if (!first) return;
    first.textContent = noticeText(PROVISIONAL);
    if (finish === "extractive" && this.notices.childElementCount > 1) first.remove();
  }

  // The server has sanitised this (markup.py); nothing else of the protocol is ever parsed as HTML.
  showHtml(html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    for (const link of template.content.querySelectorAll("a.cite")) link.replaceWith(this.cite(Number(link.dataset.n)));
    this.answer.replaceChildren(template.content);
    for (const table of this.answer.querySelectorAll("table")) {
      const wrap = h("div", { class: "table-wrap", tabindex: 0, role: "region", "aria-label": "Table" });
      table.replaceWith(wrap);
      wrap.append(table);
    }
  }

  cite(n) {
    if (!this.sources.has(n)) return `[${n}]`;
    return h("a", { class: "cite", href: `#${this.sources.anchor(n)}`, dataset: { n }, "aria-label": `Source ${n}` }, String(n));
  }

  footer(marks, stages) {
    const copy = h("button", { type: "button", class: "button quiet small", onclick: () => this.copy(copy) }, icon(COPY), h("span", {}, "Copy"));
    const again = h("button", { type: "button", class: "button quiet small", title: "Asks again, past the kept answers", onclick: () => this.again(true) }, icon(AGAIN), h("span", {}, "Ask afresh"));
    const edit = h("button", { type: "button", class: "button quiet small", title: "Puts the question into the box below", onclick: () => this.page.edit(this) }, icon(EDIT), h("span", {}, "Edit"));
    const items = marks.map(([label, tone, why]) => h("span", { class: `badge ${tone}`, title: why || null }, label));
    this.foot.replaceChildren(...items, this.text || this.cited.length ? copy : "", edit, again, timings(stages) || "");
    this.foot.hidden = false;
  }

  async copy(button) {
    const answer = this.text || this.answer.textContent;
    const sources = this.sources.asText(this.cited);
    await copyText(sources ? `${answer.trim()}\n\n${sources}\n` : answer);
    const label = button.lastElementChild;
    label.textContent = "Copied";
    this.page.announce("Copied.");
    setTimeout(() => (label.textContent = "Copy"), 2000);
  }

  again(fresh) {
    this.page.ask({ question: this.question, collections: this.collections, fresh });
  }

  // ---- numbers in the text and their cards

  pointed(event, on) {
    const link = event.target.closest("a.cite");
    if (link) this.sources.light(Number(link.dataset.n), on);
  }

  lightText(n, on) {
    for (const link of this.answer.querySelectorAll(`a.cite[data-n="${n}"]`)) link.classList.toggle("lit", on);
  }

  follow(event) {
    const link = event.target.closest("a.cite");
    if (!link) return;
    event.preventDefault();
    this.from = link;
    this.sources.goTo(Number(link.dataset.n));
  }

  comeBack(event) {
    if (event.key !== "Escape" || !this.from) return;
    event.stopPropagation();
    this.from.focus();
    this.from = null;
  }
}
