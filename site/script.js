const TIMEOUT_S = 15;
const NO_API = "This page doesn't know its API yet: `deployer up` publishes config.json with the site. Then reload this page.";
const LABELS = { invalid: "Id needed", loading: "Fetching", success: "Found", error: "Error" };

const [app, form, field, button, stateLabel, result] =
  ["app", "lookup", "user-id", "fetch", "state", "result"].map((id) => document.getElementById(id));

// Started at load, so that the address is usually known before anyone submits.
const apiUrl = loadApiUrl();
let newest;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  newest?.abort();
  const request = (newest = new AbortController());

  const userId = field.value.trim();
  field.setAttribute("aria-invalid", String(!userId));
  if (!userId) {
    button.disabled = false;
    show("invalid", "Please enter a user id, for example 1.");
    field.focus();
    return;
  }

  const hadFocus = document.activeElement === button;
  button.disabled = true;
  show("loading", "Fetching…");
  const outcome = await lookUp(userId, request);
  if (request !== newest) return;

  button.disabled = false;
  // A disabled button loses the focus: give it back, unless it has moved on.
  if (hadFocus && [button, document.body].includes(document.activeElement)) button.focus();
  show(...outcome);
});

// While the button is disabled, browsers ignore Enter in the field; a newer request shall win, though.
field.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && button.disabled && !event.repeat && !event.isComposing) form.requestSubmit();
});

field.addEventListener("input", () => field.setAttribute("aria-invalid", "false"));

/** The API's address as published by the deployer, or null. */
async function loadApiUrl() {
  try {
    const response = await fetch("config.json", { cache: "no-cache", signal: AbortSignal.timeout(TIMEOUT_S * 1000) });
    if (!response.ok) return null;
    const url = new URL((await response.json()).apiUrl);
    return ["https:", "http:"].includes(url.protocol) ? url : null;
  } catch {
    return null;
  }
}

/** Never rejects: the state and the text to show. */
async function lookUp(userId, request) {
  const base = await apiUrl;
  if (!base) return ["error", NO_API];

  const url = new URL(base);
  // "%20" is a space to every decoder, "+" only to some (a real plus is "%2B" by now).
  url.search = new URLSearchParams({ userId }).toString().replaceAll("+", "%20");

  const timer = setTimeout(() => request.abort(new Error(`no answer within ${TIMEOUT_S} s`)), TIMEOUT_S * 1000);
  try {
    const response = await fetch(url, { signal: request.signal });
    return describe(response, await response.text());
  } catch (error) {
    return ["error", `Network error: ${error.message}`];
  } finally {
    clearTimeout(timer);
  }
}

function describe({ ok, status, statusText }, text) {
  let body;
  try {
    body = JSON.parse(text);
    if (ok) return ["success", formatJson(text)];
  } catch {
    if (ok) return ["error", `Error ${status}: the response is not JSON`];
  }
  const message = [body?.error, body?.message, statusText, text.trim().slice(0, 300)]
    .find((candidate) => typeof candidate === "string" && candidate);
  return ["error", `Error ${status}: ${message ?? "no details given"}`];
}

/** Indents valid JSON by its text: parsing and printing it again would round big numbers. */
function formatJson(json) {
  let depth = 0;
  let previous = "";
  let out = "";
  for (const [token] of json.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    const closes = token === "}" || token === "]";
    const opened = previous === "{" || previous === "[";
    if (closes) depth--;
    if (previous === "," || opened !== closes) out += "\n" + "  ".repeat(depth);
    out += token === ":" ? ": " : token;
    if (token === "{" || token === "[") depth++;
    previous = token;
  }
  return out;
}

function show(state, text) {
  app.dataset.state = state;
  stateLabel.textContent = LABELS[state];
  // Busy: screen readers wait for the outcome.
  result.setAttribute("aria-busy", String(state === "loading"));
  result.textContent = text;
}
