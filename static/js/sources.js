// The sources of one run: cards that come before the answer and keep their numbers.

import { h, scrolling } from "./dom.js";
import { excerpt, isShortened, segments, unwrapped } from "./text.js";

const FOLD_OVER = 2;

function marked(parts) {
  return parts.map((part) => (part.marked ? h("mark", {}, unwrapped(part.text)) : unwrapped(part.text)));
}

// The page of a PDF in the browser's viewer; slides have pages as well, and lead to the passage in the document's text.
function atPage({ document: id, page, url }) {
  const to = `/d/${id}/pdf${new URL(url, location.href).search}#page=${page}`;
  return h("a", { href: to, target: "_blank" }, `page ${page}`, h("span", { class: "visually-hidden" }, " in a new tab"));
}

export class SourceList {
  // `question` is the id of its heading: each list of a conversation is named after its own. `names`: collection slug ->
  // name. `lit(n, on)` is told when the reader points at a card.
  constructor(run, question, names, lit) {
    this.run = run;
    this.names = names;
    this.lit = lit;
    this.cards = new Map();
    this.title = h("h3", { class: "sources-title", id: `sources-${run}` }, "Sources");
    this.state = h("span", { class: "sources-state" });
    this.list = h("ol", { class: "source-list" });
    this.more = h("button", { type: "button", class: "button quiet small", hidden: true, onclick: () => this.unfold() });
    this.element = h(
      "section",
      { class: "sources", "aria-labelledby": `${this.title.id} ${question}`, hidden: true },
      h("div", { class: "sources-head" }, this.title, this.state),
      this.list,
      this.more,
    );
  }

  get size() {
    return this.cards.size;
  }

  has(n) {
    return this.cards.has(n);
  }

  anchor(n) {
    return `source-${this.run.slice(0, 8)}-${n}`;
  }

  // Cards that stay the same are left as they are, opened or not; the others are made anew.
  show(passages, { final }) {
    const before = this.cards;
    this.cards = new Map();
    for (const passage of [...passages].sort((a, b) => a.n - b.n)) {
      const key = JSON.stringify(passage);
      const old = before.get(passage.n);
      const element = old && old.key === key ? old.element : this.card(passage);
      this.cards.set(passage.n, { key, passage, element });
    }
    this.list.replaceChildren(...Array.from(this.cards.values(), (card) => card.element));
    this.element.hidden = passages.length === 0;
    this.element.classList.toggle("provisional", !final);
    this.state.textContent = final ? "" : "first matches, still searching";
  }

  card(passage) {
    const attributes = {
      class: "source",
      id: this.anchor(passage.n),
      tabindex: -1,
      dataset: { n: passage.n },
      onmouseenter: () => this.lit(passage.n, true),
      onmouseleave: () => this.lit(passage.n, false),
      onfocusin: () => this.lit(passage.n, true),
      onfocusout: () => this.lit(passage.n, false),
    };
    const number = h("span", { class: "source-n" }, h("span", { class: "visually-hidden" }, "Source "), String(passage.n));
    if (passage.gone) {
      const text = h("p", { class: "source-text muted" }, "No longer available to you.");
      return h("li", { ...attributes, class: "source gone" }, number, h("div", { class: "source-body" }, text));
    }
    const where = [this.names.get(passage.collection) || passage.collection, passage.heading].filter(Boolean).join(" · ");
    return h(
      "li",
      attributes,
      number,
      h(
        "div",
        { class: "source-body" },
        h("a", { class: "source-title", href: passage.url }, passage.title || "Untitled"),
        h("p", { class: "source-meta" }, where, passage.page ? [where ? " · " : "", atPage(passage)] : null),
        this.text(passage),
        passage.changed ? h("p", { class: "source-note" }, "The document has changed since.") : null,
      ),
    );
  }

  text(passage) {
    const short = marked(excerpt(passage.text, passage.marks));
    const text = h("p", { class: "source-text", id: `${this.anchor(passage.n)}-text` }, short);
    if (!isShortened(passage.text, passage.marks)) return text;
    const button = h("button", { type: "button", class: "text-button", "aria-expanded": "false", "aria-controls": text.id }, "Whole passage");
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-expanded") !== "true";
      button.setAttribute("aria-expanded", String(open));
      button.textContent = open ? "Only the point" : "Whole passage";
      text.classList.toggle("whole", open);
      text.replaceChildren(...marked((open ? segments : excerpt)(passage.text, passage.marks)));
    });
    return [text, button];
  }

  // The answer is done: what it cites stays in sight, the rest folds away.
  settle(cited) {
    if (!cited.length) return;
    const wanted = new Set(cited);
    const rest = [];
    for (const [n, { element }] of this.cards) {
      element.classList.toggle("cited", wanted.has(n));
      if (!wanted.has(n) && !element.contains(document.activeElement)) rest.push(element);
    }
    if (rest.length < FOLD_OVER) return;
    for (const element of rest) element.hidden = true;
    this.more.textContent = `${rest.length} more that were looked at`;
    this.more.hidden = false;
  }

  unfold() {
    const hidden = Array.from(this.cards.values(), (card) => card.element).filter((element) => element.hidden);
    for (const element of hidden) element.hidden = false;
    this.more.hidden = true;
    if (document.activeElement === document.body && hidden.length) hidden[0].focus({ preventScroll: true });
  }

  light(n, on) {
    this.cards.get(n)?.element.classList.toggle("lit", on);
  }

  goTo(n) {
    const card = this.cards.get(n);
    if (!card) return;
    if (card.element.hidden) this.unfold();
    card.element.scrollIntoView({ block: "nearest", behavior: scrolling() });
    card.element.focus({ preventScroll: true });
  }

  // For the clipboard: one line a source.
  asText(cited) {
    const lines = [];
    for (const [n, { passage }] of this.cards) {
      if (passage.gone || (cited.length && !cited.includes(n))) continue;
      const page = passage.page ? `, page ${passage.page}` : "";
      lines.push(`[${n}] ${passage.title}${page}: ${new URL(passage.url, location.href)}`);
    }
    return lines.join("\n");
  }
}
