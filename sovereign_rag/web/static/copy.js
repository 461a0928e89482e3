// Copies an answer with its sources, as plain text or as Markdown.

const BREAKS = /\s+/g;
const MARKS = /[\\`*_[\]<>]/g; // what Markdown would take for its own

/** Let the buttons within `root` copy; without this script they are not shown. */
export function offerCopies(root) {
  for (const button of root.querySelectorAll("[data-copy][hidden]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
}

async function copy(button) {
  const turn = button.closest(".turn");
  const said = turn.querySelector(".copied");
  const text = button.dataset.copy === "markdown" ? written(turn, markdown) : written(turn, plain);
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copyTheOldWay(text); // a page without TLS has no clipboard
  }
  said.textContent = said.dataset.said;
}

function copyTheOldWay(text) {
  const box = document.createElement("textarea");
  box.value = text;
  document.body.append(box);
  box.select();
  document.execCommand("copy");
  box.remove();
}

const plain = {
  heading: (text) => text,
  text: (text) => text,
  quote: (text) => `“${text}”`,
  source: (number, title, url) => `[${number}] ${title}: ${url}`,
};

const markdown = {
  heading: (text) => `## ${text.replace(MARKS, "\\$&")}`,
  text: (text) => text.replace(MARKS, "\\$&"),
  quote: (text) => `> ${text.replace(MARKS, "\\$&")}`,
  source: (number, title, url) => `- [${number}] [${title.replace(MARKS, "\\$&")}](${url})`,
};

function written(turn, form) {
  const parts = [form.heading(words(turn.querySelector(".asked")))];
  for (const notice of turn.querySelectorAll(".answer > .notice")) parts.push(form.text(words(notice)));
  for (const quote of turn.querySelectorAll(".statements blockquote")) parts.push(form.quote(words(quote)));
  for (const prose of turn.querySelectorAll(".answer > .prose, .abstained > p:first-child")) {
    parts.push(form.text(words(prose)));
  }
  const sources = new Map();
  for (const chip of turn.querySelectorAll(".chip")) {
    sources.set(chip.textContent, form.source(chip.textContent, chip.dataset.place, chip.href));
  }
  if (sources.size) parts.push([...sources.values()].join("\n"));
  return parts.join("\n\n");
}

/** An element's text, its chips as [1]. */
function words(element) {
  const copy = element.cloneNode(true);
  for (const chip of copy.querySelectorAll(".chip")) chip.textContent = `[${chip.textContent}]`;
  return copy.textContent.replace(BREAKS, " ").trim();
}
