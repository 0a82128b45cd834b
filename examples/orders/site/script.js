const TIMEOUT_MS = 15_000;

const [form, customer, message, list, orders, order, title, about, lines] =
  ["search", "customer", "message", "list", "orders", "order", "order-title", "order-about", "lines"]
    .map((id) => document.getElementById(id));

// Started at load, so that the address is usually known before anyone asks.
const apiUrl = loadApiUrl();
// Only the newest question is answered: what comes late is dropped.
let newest;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  list.hidden = order.hidden = true;
  const id = customer.value.trim();
  if (!id) {
    say("Please enter a customer, for example c-1.", "error");
    customer.focus();
    return;
  }
  const found = await ask(`customers/${encodeURIComponent(id)}/orders`);
  if (!found) return;
  orders.replaceChildren(...found.orders.map(row));
  list.hidden = found.orders.length === 0;
  say(found.orders.length === 0 ? `${id} has no orders.` : found.more ? "There are older orders, too." : "");
});

async function showOrder(id) {
  order.hidden = true;
  const found = await ask(`orders/${encodeURIComponent(id)}`);
  if (!found) return;
  title.textContent = `Order ${found.orderId}`;
  about.textContent = `Placed ${time(found.placedAt)} by ${found.customerId}, ${found.state}`;
  lines.replaceChildren(...found.lines.map(({ sku, quantity }) => element("li", `${quantity} × ${sku}`)));
  order.hidden = false;
  say("");
  title.focus();
}

function row({ orderId, placedAt, state }) {
  const button = element("button", orderId);
  button.type = "button";
  button.addEventListener("click", () => showOrder(orderId));
  const cell = document.createElement("td");
  cell.append(button);
  const tr = document.createElement("tr");
  tr.append(cell, element("td", time(placedAt)), element("td", state));
  return tr;
}

/** What the API gave is text, whatever it looks like: it never becomes HTML. */
function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function time(timestamp) {
  const date = new Date(timestamp);
  return Number.isNaN(date.getTime()) ? timestamp : date.toLocaleString();
}

/** The API's address as published by the deployer, or null. */
async function loadApiUrl() {
  try {
    const response = await fetch("config.json", { cache: "no-cache", signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok) return null;
    const url = new URL((await response.json()).apiUrl);
    return ["https:", "http:"].includes(url.protocol) ? url.href.replace(/\/$/, "") : null;
  } catch {
    return null;
  }
}

/** Never rejects: the answer, or null when there is nothing (more) to do; then the page says why. */
async function ask(path) {
  newest?.abort();
  const question = (newest = new AbortController());
  say("Asking…");
  const base = await apiUrl;
  if (question.signal.aborted) return null;
  if (!base) {
    say("This page doesn't know its API yet: `deployer up` publishes config.json with the site.", "error");
    return null;
  }
  try {
    const signal = AbortSignal.any([question.signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const response = await fetch(`${base}/${path}`, { signal });
    const answer = await response.json();
    if (response.ok) return answer;
    say(`Error ${response.status}: ${answer?.error ?? "no details given"}`, "error");
  } catch (error) {
    if (!question.signal.aborted) say(`Network error: ${error.message}`, "error");
  }
  return null;
}

function say(text, kind = "") {
  message.dataset.kind = kind;
  message.textContent = text;
}
