// Files by drag and drop, and how far they are. Without this script the form sends them all the same.

const form = document.getElementById("upload");
const input = document.getElementById("file");
const chosen = document.getElementById("chosen");
const bar = document.getElementById("sent");
const status = document.getElementById("status");
const drop = form.querySelector(".drop");

function show() {
  chosen.replaceChildren(...Array.from(input.files, (file) => {
    const line = document.createElement("li");
    line.textContent = file.name;
    return line;
  }));
  chosen.hidden = input.files.length === 0;
}

for (const name of ["dragenter", "dragover"]) {
  form.addEventListener(name, (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    drop.classList.add("over");
  });
}
for (const name of ["dragleave", "dragend", "drop"]) form.addEventListener(name, () => drop.classList.remove("over"));

form.addEventListener("drop", (event) => {
  if (!event.dataTransfer.files.length) return;
  event.preventDefault();
  const all = new DataTransfer();
  for (const file of [...input.files, ...event.dataTransfer.files]) all.items.add(file);
  input.files = all.files;
  show();
});
input.addEventListener("change", show);
show(); // what was chosen before this script arrived, or is kept by the way back to this page

function fail(text) {
  form.querySelector("button").disabled = false;
  bar.hidden = true;
  status.textContent = text;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const request = new XMLHttpRequest(); // fetch tells nothing of how much was sent
  request.open("POST", form.action);
  request.upload.addEventListener("progress", ({ loaded, total }) => {
    bar.value = total ? loaded / total : 0;
    if (loaded === total) status.textContent = form.dataset.kept;
  });
  request.addEventListener("load", () => {
    if (request.status < 300) return location.assign(request.responseURL);
    fail(told(request) ?? form.dataset.failed);
  });
  request.addEventListener("error", () => fail(form.dataset.failed));
  form.querySelector("button").disabled = true;
  bar.hidden = false;
  status.textContent = form.dataset.sending;
  request.send(new FormData(form));
});

// A refusal in words, where the service gave one and no proxy did.
function told(request) {
  try {
    return JSON.parse(request.responseText).detail;
  } catch {
    return null;
  }
}
