// What the codes of the protocol are called in front of people.

const STAGES = {
  store: "Keeping the question",
  cache: "Answer cache",
  lexical: "Word search",
  embed: "Question’s meaning",
  vector: "Search by meaning",
  context: "Preparing passages",
  conversation: "Conversation",
  passages: "Loading passages",
  rerank: "Ordering passages",
  intent: "Intent",
  generate: "Model",
  first_token: "First words",
};

const OUTCOMES = {
  ok: "",
  timeout: "too slow, left out",
  open: "paused after failures",
  error: "failed",
  shed: "left out under load",
  cancelled: "stopped",
};

// For old answers, of which only the code is kept; a live notice brings its own sentence.
const NOTICES = {
  provisional_extract: "The model was slow, so sentences from the sources were shown first.",
  similar_answer: "This is the answer to a similar question.",
  stream_cut: "The model broke off; this is what it had said.",
  deadline: "The answer was not finished in time.",
  llm_hedged: "A second model was asked as well, for the first was slow.",
  llm_fallback: "The first model was not available; another one answered.",
  llm_continued: "The first model broke off; another one answered.",
  redis_unavailable: "Part of the system was away; a loss of connection would have cut this answer short.",
};

const CAUSES = [
  [/^(embed|vector)_/, "The search by meaning was left out; these sources were found by their words."],
  [/^lexical_/, "The search by words was left out; these sources were found by their meaning."],
  [/^context_/, "The passages could not be trimmed in time; the model was given them whole."],
  [/^passages_/, "Not all that was found could be read; these sources were found first."],
  [/^rerank_/, "The sources stand in the order in which the search found them."],
  [/^generate_/, "The model did not answer, or not to the end."],
];

const ERRORS = {
  quota_exceeded: "You have asked many questions in a short time.",
  at_capacity: "Many questions are being asked just now.",
  not_found: "This question is no longer to be found.",
  unavailable: "The document store could not be reached.",
  search_unavailable: "The documents could not be searched.",
  deadline: "No answer came in time.",
};

const FINISHES = {
  extractive: ["Quoted from the passages alone", "accent", "No model wrote this: these are sentences of the sources."],
  cached: ["Kept answer, still valid", "accent", "Answered before; its sources were checked and are unchanged."],
  similar: ["Answer to a similar question", "warn", "No model answered; this was said to a question that is like yours."],
  partial: ["Cut short", "warn", "The answer ended early. What is here names its sources."],
  stopped: ["Stopped by you", "", ""],
  refused: ["The documents do not say", "warn", "Nothing was found in your documents that answers this."],
};

const ROUTES = {
  lexical: ["Found by words alone", "warn", "The search by meaning was left out for this answer."],
  vector: ["Found by meaning alone", "warn", "The search by words was left out for this answer."],
};

export function stageName(stage) {
  return STAGES[stage] || stage.replaceAll("_", " ").replace(/^./, (letter) => letter.toUpperCase());
}

export function outcomeName(outcome) {
  return outcome in OUTCOMES ? OUTCOMES[outcome] : outcome;
}

export function noticeText(code, message) {
  if (message) return message;
  if (NOTICES[code]) return NOTICES[code];
  const cause = CAUSES.find(([pattern]) => pattern.test(code));
  return cause ? cause[1] : `Something was left out (${code.replaceAll("_", " ")}).`;
}

export function errorText(code, message) {
  return message || ERRORS[code] || "This question could not be answered.";
}

// [label, tone, explanation] of each badge that an answer bears.
export function badges(finish, route, degraded) {
  const found = [];
  const kind = degraded.includes("similar_answer") ? "similar" : finish;
  if (FINISHES[kind]) found.push(FINISHES[kind]);
  if (ROUTES[route] && finish !== "cached") found.push(ROUTES[route]);
  return found;
}

export function milliseconds(ms) {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s`;
}
