// Shows an answer while it is made. Without this script the form is sent and a whole page comes back.

import { events } from "./events.js";
import { localise } from "./times.js";
import { offerCopies } from "./copy.js";

const form = document.getElementById("ask");
const question = document.getElementById("question");
const submit = form.querySelector("button[type=submit]");
const stop = document.getElementById("stop");
const status = document.getElementById("status");
const problem = document.getElementById("problem");
const turns = document.getElementById("turns");
const draft = document.getElementById("draft");
const isKept = form.dataset.keeps === "yes"; // by the service; else by this window alone
let running = null;
let current = null; // the turn that is being made

form.querySelector(".shortcut").hidden = false;
recall();
offerCopies(turns);

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!running) ask();
});

question.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    form.requestSubmit();
  }
});

stop.addEventListener("click", () => running?.abort());
window.addEventListener("popstate", () => location.reload());
document.addEventListener("click", (event) => {
  if (!isKept && event.target.closest("a[href='/']")) sessionStorage.removeItem("conversation");
});

async function ask() {
  running = new AbortController();
  const body = new URLSearchParams(new FormData(form)); // with the conversation so far
  const asked = question.value;
  begin(asked);
  try {
    const headers = { Accept: "text/event-stream" };
    const response = await fetch(form.action, { method: "POST", headers, body, signal: running.signal });
    if (response.status === 401) signInAgain(asked);
    else if (response.ok) await follow(response);
    else fail(await detailOf(response), Number(response.headers.get("Retry-After")));
  } catch (error) {
    if (error.name === "AbortError") status.textContent = form.dataset.stopped;
    else fail(form.dataset.lost);
  } finally {
    end(asked);
  }
}

async function follow(response) {
  for await (const { name, data } of events(response)) {
    if (data.status) status.textContent = data.status;
    status.classList.toggle("unseen", name === "answer"); // the answer itself is seen
    if (name === "begun") stayAt(data);
    else if (name === "extract") addQuote(data.html);
    else if (name === "token") addToken(data.text);
    else if (name === "answer") return show(data.html);
    else if (name === "error") return fail(data.detail);
  }
  fail(form.dataset.lost);
}

// A proxy answers in HTML of its own; what it says is nothing for the asker.
async function detailOf(response) {
  const isOurs = (response.headers.get("Content-Type") ?? "").startsWith("application/json");
  return isOurs ? (await response.json()).detail : form.dataset.lost;
}

function begin(asked) {
  submit.disabled = true;
  stop.hidden = false;
  problem.hidden = true;
  status.classList.remove("unseen");
  status.textContent = form.dataset.searching;
  turns.setAttribute("aria-busy", "true"); // a screen reader waits until the answer is whole
  turns.append(draft.content.cloneNode(true));
  current = turns.lastElementChild;
  current.querySelector(".asked").textContent = asked;
  question.value = "";
  document.body.classList.add("asking", "conversing");
  current.scrollIntoView({ block: "start" });
}

function end(asked) {
  if (current) {
    if (!current.querySelector(".draft-quotes .extract")) current.remove();
    question.value ||= asked; // what got no answer can be sent again
  }
  running = current = null;
  submit.disabled = false;
  stop.hidden = true;
  turns.removeAttribute("aria-busy");
  document.body.classList.remove("asking");
}

// From here on the question has an address: Back, reload and another language keep it.
function stayAt({ url, conversation }) {
  if (location.pathname === url.split(/[?#]/)[0]) history.replaceState(null, "", url);
  else history.pushState(null, "", url);
  carry("conversation", conversation);
}

function addQuote(html) {
  const quotes = current.querySelector(".draft-quotes");
  quotes.hidden = false;
  quotes.querySelector(".statements").append(fragment(html));
}

function addToken(text) {
  const box = current.querySelector(".draft");
  box.hidden = false;
  box.querySelector(".draft-text").append(text);
}

function show(html) {
  const made = fragment(html).firstElementChild;
  current.replaceWith(made);
  current = null;
  localise(made);
  offerCopies(made);
  form.querySelector("label").textContent = question.dataset.again;
  const history = made.querySelector("input[name=history]");
  if (history) carry("history", history.value);
  remember();
  if (!question.value) made.focus({ preventScroll: true }); // else the next question is being written
}

/** Send a value along with each question from here on. */
function carry(name, value) {
  const field = form.elements[name] ?? document.createElement("input");
  Object.assign(field, { type: "hidden", name, value });
  form.append(field);
}

// Where the service keeps no conversation, this window does, until somebody signs out.
function remember() {
  if (isKept) return;
  const kept = { user: form.dataset.user, turns: turns.innerHTML, history: form.elements.history?.value };
  sessionStorage.setItem("conversation", JSON.stringify(kept));
}

function recall() {
  const unsent = JSON.parse(sessionStorage.getItem("draft") ?? "null");
  if (unsent?.user === form.dataset.user) question.value = unsent.question;
  sessionStorage.removeItem("draft");
  if (isKept || turns.childElementCount) return remember();
  const kept = JSON.parse(sessionStorage.getItem("conversation") ?? "null");
  if (kept?.user !== form.dataset.user) return;
  turns.append(fragment(kept.turns));
  if (kept.history) carry("history", kept.history);
  document.body.classList.add("conversing");
}

function signInAgain(asked) {
  sessionStorage.setItem("draft", JSON.stringify({ user: form.dataset.user, question: asked }));
  location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`);
}

function fail(detail, seconds = 0) {
  status.textContent = "";
  problem.textContent = detail;
  problem.hidden = false;
  problem.scrollIntoView({ block: "nearest" });
  if (seconds > 0) countDown(seconds);
}

function countDown(seconds) {
  status.textContent = seconds > 0 && !running ? form.dataset.wait.replace("{seconds}", seconds) : "";
  if (seconds > 0 && !running) setTimeout(countDown, 1000, seconds - 1);
}

// The server's templates made it and escaped everything that came from documents or people.
function fragment(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}
