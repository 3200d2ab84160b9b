// Sorts, filters, groups and chooses rows of the table of runs, and does so again when new rows have come.
const order = { column: null, down: false };
const chosen = new Set();
const filter = document.getElementById("filter"), group = document.getElementById("group");
const rowsOf = () => [...document.querySelectorAll(".runs tbody tr[data-group]")];

function compare(a, b) {
  if (a === "" || b === "") return (a === "") - (b === "");
  const numbers = [Number(a), Number(b)];
  const less = numbers.some(Number.isNaN) ? a.localeCompare(b) : numbers[0] - numbers[1];
  return order.down ? -less : less;
}

function show() {
  const body = document.querySelector(".runs tbody");
  if (!body) return;
  body.querySelectorAll(".group-head").forEach((head) => head.remove());
  let rows = rowsOf();
  const heads = [...document.querySelectorAll(".runs th[data-column]")];
  const place = heads.findIndex((head) => head.dataset.column === order.column);
  heads.forEach((head, i) => {
    if (i === place) head.setAttribute("aria-sort", order.down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  });
  // The first cell holds the box.
  const value = (row) => row.cells[place + 1]?.dataset.sort ?? "";
  if (place >= 0) rows.sort((a, b) => compare(value(a), value(b)));
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
    row.querySelector("input").checked = chosen.has(row.querySelector("input").value);
  }
  if (group.checked) rows = [...Map.groupBy(rows, (row) => row.dataset.group).values()].flatMap((own) => headed(own, heads.length + 1));
  body.append(...rows);
  count();
}

function headed(rows, width) {
  const seen = rows.filter((row) => !row.hidden).length;
  if (rows.length < 2 || seen === 0) return rows;
  const head = document.createElement("tr"), cell = document.createElement("th");
  head.className = "group-head";
  cell.colSpan = width;
  cell.textContent = `${seen} runs that differ by seed only`;
  head.append(cell);
  return [head, ...rows];
}

function count() {
  const rows = rowsOf(), seen = rows.filter((row) => !row.hidden).length;
  document.getElementById("counted").textContent = `${seen} of ${rows.length} runs, ${chosen.size} chosen`;
  document.getElementById("compare").disabled = chosen.size < 2;
}

document.addEventListener("click", (event) => {
  const head = event.target.closest(".runs th[data-column]");
  if (!head) return;
  order.down = order.column === head.dataset.column && !order.down;
  order.column = head.dataset.column;
  show();
});
document.addEventListener("change", (event) => {
  if (!event.target.matches(".runs input[name=run]")) return;
  chosen[event.target.checked ? "add" : "delete"](event.target.value);
  count();
});
document.getElementById("tools").addEventListener("submit", (event) => {
  event.preventDefault();
  location.href = `/compare?${new URLSearchParams([...chosen].map((name) => ["run", name]))}`;
});
filter.addEventListener("input", show);
group.addEventListener("change", show);
document.body.addEventListener("htmx:after:swap", show);
show();
