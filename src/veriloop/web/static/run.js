// report.js has drawn the figures; draw them again when a finished round has brought new ones, and keep open
// what the reader has opened.
let opened = [];
const key = (fold) => fold.id || fold.querySelector("summary").textContent;
document.body.addEventListener("htmx:before:swap", () => {
  opened = [...document.querySelectorAll("main details[open]")].map(key);
});
document.body.addEventListener("htmx:after:swap", () => {
  for (const fold of document.querySelectorAll("main details")) if (opened.includes(key(fold))) fold.open = true;
  drawn.then(draw);
});
