// Passages and their marks. Ranges count code points, as Python does; JavaScript's strings count UTF-16 units.

// [{text, marked}] of `text`, with the [start, end] ranges of `marks` (any order, overlaps allowed) marked.
export function segments(text, marks) {
  const points = Array.from(text);
  const ranges = normalised(marks, points.length);
  const parts = [];
  let at = 0;
  for (const [start, end] of ranges) {
    if (start > at) parts.push({ text: points.slice(at, start).join(""), marked: false });
    parts.push({ text: points.slice(start, end).join(""), marked: true });
    at = end;
  }
  if (at < points.length) parts.push({ text: points.slice(at).join(""), marked: false });
  return parts;
}

// The marked sentences with a little of what stands around them; the beginning where nothing is marked.
export function excerpt(text, marks, { around = 60, most = 320 } = {}) {
  const points = Array.from(text);
  const ranges = normalised(marks, points.length);
  if (!ranges.length) {
    const short = points.slice(0, most).join("").trimEnd();
    return [{ text: points.length > most ? `${short} …` : short, marked: false }];
  }
  const parts = [];
  let shown = 0;
  let at = 0;
  for (const [start, end] of ranges) {
    if (shown >= most) break;
    const from = isBlank(points, at, start) ? at : Math.max(at, contextStart(points, start - around, start));
    if (from > at) parts.push({ text: at ? " … " : "… ", marked: false });
    if (start > from) parts.push({ text: points.slice(from, start).join(""), marked: false });
    parts.push({ text: points.slice(start, end).join(""), marked: true });
    shown += end - from;
    at = end;
  }
  if (!isBlank(points, at, points.length)) parts.push({ text: " …", marked: false });
  return parts;
}

// Whether the excerpt leaves something out.
export function isShortened(text, marks, options) {
  const shown = excerpt(text, marks, options).map((part) => part.text).join("");
  return shown.trimEnd() !== text.trimEnd();
}

// Documents are often wrapped by hand: such line ends are spaces. Paragraphs, list items and table rows stay; of a table
// the bars between cells alone.
export function unwrapped(text) {
  const lines = text.replace(/([^\n])\n(?![\n\-*|•]|\s*\d+[.)])/g, "$1 ").replace(/\n{2,}/g, "\n");
  return lines.replace(/^\|(?: *:?-{3,}:? *\|)+ *(?:\n|$)/gm, "").replace(/^\| *| *\|$/gm, "");
}

function normalised(marks, length) {
  const ranges = (marks || [])
    .map(([start, end]) => [Math.max(0, start), Math.min(length, end)])
    .filter(([start, end]) => end > start)
    .sort((a, b) => a[0] - b[0]);
  const joined = [];
  for (const range of ranges) {
    const last = joined.at(-1);
    if (last && range[0] <= last[1]) last[1] = Math.max(last[1], range[1]);
    else joined.push([...range]);
  }
  return joined;
}

function isBlank(points, start, end) {
  return !points.slice(start, end).join("").trim();
}

// Where what stands before a marked sentence begins to be shown: the first paragraph or sentence that begins at `index` or
// after it. Half a sentence says little.
function contextStart(points, index, start) {
  for (let at = Math.max(0, index); at < start; at += 1) {
    const before = points.slice(Math.max(0, at - 2), at).join("");
    if (!at || before === "\n\n" || /[.!?。！？]\s$/.test(before)) return at;
  }
  return start;
}
