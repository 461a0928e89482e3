// Shows moments in the reader's own time zone; without this script they stand in UTC, and say so.

const FORMATS = {
  date: { dateStyle: "medium" },
  time: { dateStyle: "medium", timeStyle: "short" },
};

const LANGUAGE = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang; // as the server writes

export function localise(root = document) {
  for (const time of root.querySelectorAll("time[data-local]")) {
    const format = new Intl.DateTimeFormat(LANGUAGE, FORMATS[time.dataset.local]);
    time.textContent = format.format(new Date(time.dateTime));
    time.removeAttribute("data-local");
  }
}

localise();
