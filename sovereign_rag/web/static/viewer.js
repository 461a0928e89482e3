// Brings the quote into sight in the page's image and in its text, which scroll by themselves.

const sheet = document.querySelector(".sheet");
const image = sheet.querySelector("img");
const text = document.querySelector(".sheet-text");
const mark = document.getElementById("quote-text");
const MARGIN = 0.25; // of the panel's height above the quote

function reveal() {
  if (sheet.dataset.markTop) {
    const top = Number(sheet.dataset.markTop) * image.clientHeight;
    sheet.scrollTop = top - sheet.clientHeight * MARGIN;
  }
  text.scrollTop = mark.offsetTop - text.clientHeight * MARGIN;
}

if (image.complete) reveal();
else image.addEventListener("load", reveal, { once: true });
