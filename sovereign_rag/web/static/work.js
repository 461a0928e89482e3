// Keeps the progress of work on the machine up to date; the page is loaded anew when it is over.

const EVERY_MS = 4000;

async function look() {
  const response = await fetch(location.pathname, { headers: { Accept: "text/html" } });
  if (!response.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const now = page.getElementById("work");
  if (!now?.hasAttribute("data-busy")) return location.replace(location.pathname);
  const work = document.getElementById("work");
  if (!work.contains(document.activeElement)) work.querySelector("ul").replaceWith(now.querySelector("ul"));
}

setInterval(() => document.hidden || look().catch(() => {}), EVERY_MS);
