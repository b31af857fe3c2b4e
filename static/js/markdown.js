// Simple Markdown for text that is still arriving. It builds nodes and never parses HTML, so that nothing a model
// writes can become markup; the server's own rendering takes its place when the answer is done.

import { h } from "./dom.js";

const INLINE = /(`+)([^`]+?)\1|\*\*([^*]+?)\*\*|\*([^*\s][^*]*?)\*|\[(\d{1,3})\]/g;
const RULE = /^\s*\|?(?:\s*:?-+:?\s*\|)+\s*(?::?-+:?)?\s*$/;
const ITEM = /^\s*(?:[-*+]|(\d{1,9})[.)])\s+(.*)$/;

// The blocks of `text`: pieces between blank lines, fenced code kept whole. All but the last are finished.
export function blocks(text) {
  const found = [];
  let lines = [];
  let fenced = false;
  for (const line of text.split("\n")) {
    if (/^\s*(```|~~~)/.test(line)) fenced = !fenced;
    if (!fenced && line.trim() === "") {
      if (lines.length) found.push(lines.join("\n"));
      lines = [];
    } else {
      lines.push(line);
    }
  }
  if (lines.length) found.push(lines.join("\n"));
  return found;
}

// One block -> one element. `cite(n)` makes the link of a citation.
export function renderBlock(text, cite) {
  const lines = text.split("\n");
  if (/^\s*(```|~~~)/.test(lines[0])) {
    const closed = lines.length > 1 && /^\s*(```|~~~)\s*$/.test(lines.at(-1));
    return h("pre", {}, h("code", {}, lines.slice(1, closed ? -1 : undefined).join("\n")));
  }
  const heading = /^(#{1,6})\s+(.*)$/.exec(lines[0]);
  if (heading && lines.length === 1) return h("h3", {}, inline(heading[2], cite));
  if (/^\s*(?:-{3,}|\*{3,}|_{3,})\s*$/.test(text)) return h("hr");
  if (ITEM.test(lines[0])) return list(lines, cite);
  if (lines.length > 1 && lines[0].includes("|") && RULE.test(lines[1])) return table(lines, cite);
  if (lines.every((line) => line.startsWith(">"))) {
    return h("blockquote", {}, h("p", {}, inline(lines.map((line) => line.replace(/^>\s?/, "")).join("\n"), cite)));
  }
  return h("p", {}, inline(text, cite));
}

function table(lines, cite) {
  const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|");
  const row = (tag, line) => h("tr", {}, cells(line).map((cell) => h(tag, {}, inline(cell.trim(), cite))));
  const body = lines.slice(2).map((line) => row("td", line));
  return h("div", { class: "table-wrap" }, h("table", {}, h("thead", {}, row("th", lines[0])), h("tbody", {}, body)));
}

function list(lines, cite) {
  const first = ITEM.exec(lines[0]);
  const items = [];
  for (const line of lines) {
    const item = ITEM.exec(line);
    if (item) items.push(item[2]);
    else items[items.length - 1] += ` ${line.trim()}`;
  }
  const start = first[1] && first[1] !== "1" ? { start: first[1] } : {};
  return h(first[1] ? "ol" : "ul", start, items.map((item) => h("li", {}, inline(item, cite))));
}

function inline(text, cite) {
  const nodes = [];
  let at = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > at) nodes.push(text.slice(at, match.index));
    if (match[2] !== undefined) nodes.push(h("code", {}, match[2]));
    else if (match[3] !== undefined) nodes.push(h("strong", {}, inline(match[3], cite)));
    else if (match[4] !== undefined) nodes.push(h("em", {}, inline(match[4], cite)));
    else nodes.push(cite(Number(match[5])));
    at = match.index + match[0].length;
  }
  if (at < text.length) nodes.push(text.slice(at));
  return nodes;
}

// Shows a growing text in `container`, touching only the blocks that changed.
export class Streamed {
  constructor(container, cite) {
    this.container = container;
    this.cite = cite;
    this.shown = [];
  }

  show(text) {
    const wanted = blocks(text);
    let same = 0;
    while (same < this.shown.length && same < wanted.length && this.shown[same] === wanted[same]) same += 1;
    while (this.container.children.length > same) this.container.lastElementChild.remove();
    for (const block of wanted.slice(same)) this.container.append(renderBlock(block, this.cite));
    this.shown = wanted;
  }
}
