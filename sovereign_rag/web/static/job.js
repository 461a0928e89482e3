// Keeps a job's progress up to date. Without this script the page shows it as of its loading.

import { events } from "./events.js";
import { localise } from "./times.js";

const progress = document.getElementById("progress");
const AGAIN_MS = 3000;

async function follow() {
  const response = await fetch(progress.dataset.events, { headers: { Accept: "text/event-stream" } });
  if (!response.ok) return true;
  for await (const { name, data } of events(response)) {
    if (name === "progress") show(data.html);
  }
  return !progress.querySelector("form[action$='/cancel']"); // else it broke off
}

// The server's template made it and escaped everything that came from documents or people.
function show(html) {
  const held = document.activeElement?.closest("#progress form")?.getAttribute("action");
  const template = document.createElement("template");
  template.innerHTML = html;
  localise(template.content);
  progress.replaceChildren(template.content);
  if (held) progress.querySelector(`form[action="${held}"] button`)?.focus();
}

async function keepFollowing() {
  for (;;) {
    const isOver = await follow().catch(() => false);
    if (isOver) return location.reload(); // the table of documents, too
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

keepFollowing();
