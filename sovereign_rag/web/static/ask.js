// Shows an answer while it is made. Without this script the form is sent and a whole page comes back.

import { events } from "./events.js";

const form = document.getElementById("ask");
const question = document.getElementById("question");
const submit = form.querySelector("button[type=submit]");
const stop = document.getElementById("stop");
const status = document.getElementById("status");
const problem = document.getElementById("problem");
const answer = document.getElementById("answer");
const draft = document.getElementById("draft");
let running = null;

form.querySelector(".shortcut").hidden = false;
keepConversation();

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

async function ask() {
  running = new AbortController();
  const body = new URLSearchParams(new FormData(form)); // with the conversation so far
  begin();
  try {
    const response = await fetch(form.action, {
      method: "POST",
      headers: { Accept: "text/event-stream" },
      body,
      signal: running.signal,
    });
    if (response.status === 401) {
      location.assign("/sign-in");
    } else if (!response.ok) {
      fail((await response.json()).detail);
    } else {
      await follow(response);
    }
  } catch (error) {
    if (error.name === "AbortError") status.textContent = form.dataset.stopped;
    else fail(form.dataset.lost);
  } finally {
    end();
  }
}

async function follow(response) {
  for await (const { name, data } of events(response)) {
    if (data.status) status.textContent = data.status;
    if (name === "extract") addQuote(data.html);
    else if (name === "token") addToken(data.text);
    else if (name === "answer") return show(data.html);
    else if (name === "error") return fail(data.detail);
  }
  fail(form.dataset.lost);
}

function begin() {
  submit.disabled = true;
  stop.hidden = false;
  problem.hidden = true;
  status.textContent = form.dataset.searching;
  answer.setAttribute("aria-busy", "true"); // a screen reader waits until the answer is whole
  answer.replaceChildren(draft.content.cloneNode(true));
  document.body.classList.add("asking");
}

function end() {
  running = null;
  submit.disabled = false;
  stop.hidden = true;
  answer.removeAttribute("aria-busy");
  document.body.classList.remove("asking");
}

function addQuote(html) {
  const quotes = answer.querySelector(".draft-quotes");
  quotes.hidden = false;
  quotes.querySelector(".statements").append(fragment(html));
}

function addToken(text) {
  const box = answer.querySelector(".draft");
  box.hidden = false;
  box.querySelector(".draft-text").append(text);
}

function show(html) {
  answer.replaceChildren(fragment(html));
  keepConversation();
}

// The conversation comes with each answer. In the form it outlives one that was stopped or lost.
function keepConversation() {
  const conversation = answer.querySelector("input[name=history]");
  if (!conversation) return;
  form.querySelector("input[name=history]")?.remove();
  form.append(conversation);
}

function fail(detail) {
  status.textContent = "";
  problem.textContent = detail;
  problem.hidden = false;
}

// The server's templates made it and escaped everything that came from documents or people.
function fragment(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}
