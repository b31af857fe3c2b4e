// Where the time of one answer went: a small waterfall, folded away until somebody asks.

import { h, svg } from "./dom.js";
import { milliseconds, outcomeName, stageName } from "./wording.js";

const WIDTH = 240;

function bar(stage, total) {
  const x = (stage.start_ms / total) * WIDTH;
  const width = Math.max(2, (stage.ms / total) * WIDTH);
  return svg(
    "svg",
    { class: "waterfall", viewBox: `0 0 ${WIDTH} 10`, preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { x: 0, y: 4.5, width: WIDTH, height: 1, class: "waterfall-line" }),
    svg("rect", { x: Math.min(x, WIDTH - 2), y: 1, width, height: 8, rx: 1.5, class: `waterfall-bar ${stage.outcome}` }),
  );
}

export function timings(stages) {
  if (!stages.length) return null;
  const total = Math.max(1, ...stages.map((stage) => stage.start_ms + stage.ms));
  const rows = [...stages]
    .sort((a, b) => a.start_ms - b.start_ms)
    .map((stage) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, stageName(stage.stage)),
        h("td", { class: "bar-cell" }, bar(stage, total)),
        h("td", { class: "number" }, milliseconds(stage.ms)),
        h("td", { class: "muted" }, outcomeName(stage.outcome)),
      ),
    );
  const head = ["Stage", "When", "Took", "Outcome"].map((name) => h("th", { scope: "col" }, name));
  return h(
    "details",
    { class: "timings" },
    h("summary", {}, `Answered in ${milliseconds(total)}`),
    h(
      "div",
      { class: "table-wrap", tabindex: 0, role: "region", "aria-label": "Time of each stage" },
      h("table", {}, h("thead", { class: "visually-hidden" }, h("tr", {}, head)), h("tbody", {}, rows)),
    ),
  );
}
