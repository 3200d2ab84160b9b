// One sample at a time. The next ones lie ready, so a key shows the next at once; verdicts are sent in order,
// and count as given only when the server has said that they are on its disk.
import { element, imageOf, wordsOf } from "./card.js";
import { list } from "./mine.js";

const page = document.querySelector("main").dataset;
const csrf = document.querySelector("meta[name=csrf]").content;
const $ = (id) => document.getElementById(id);
const KEYS = JSON.parse(page.answers); // which key gives which answer
const [AT_HAND, IN_GRID] = [4, 12]; // samples that lie ready, one at a time or in a grid
const RETRY = 1000; // milliseconds until a verdict that did not get through is sent again
const REFILL = 5000; // and until we look whether others have left something to do

let ready = []; // samples before the annotator; the first one is shown
let unsent = []; // verdicts that the server has not confirmed
let sending = null; // while verdicts are on their way, a promise of the end of it
let undoing = false;
let gridded = false; // whether several are judged at once
let shownAt = 0; // when the first sample came up
let over = null; // what the server last said of how far we are

async function call(path, body) {
  const query = new URLSearchParams({ annotator: page.annotator });
  query.set("most", most());
  for (const key of body.holding) query.append("holding", key);
  const response = await fetch(
    body.post ? `${page.queue}/${path}` : `${page.queue}/${path}?${query}`,
    body.post && {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
      body: JSON.stringify({ annotator: page.annotator, holding: body.holding, most: most(), ...body.post }),
    },
  );
  if (!response.ok) throw Object.assign(new Error(await response.text()), { status: response.status });
  return response.json();
}

const most = () => (gridded ? IN_GRID : AT_HAND);
const held = () => [...unsent.map((verdict) => verdict.key), ...ready.map((task) => task.key)];

function receive(answer) {
  const known = new Set(held());
  for (const task of answer.tasks) if (!known.has(task.key)) ready.push(prepared(task));
  over = answer;
  const { judged, left } = answer.progress;
  $("bar").max = judged + left || 1;
  $("bar").value = judged;
  $("tally").textContent = `${page.annotator}: ${judged} judged, ${left} to go`;
  $("tally").dataset.judged = judged;
}

const prepared = (task) => ({ ...task, image: imageOf(task) });

function show() {
  const [task] = ready;
  $("card").hidden = $("answers").hidden = $("remark").hidden = !task || gridded;
  $("grid").hidden = $("rest").hidden = !task || !gridded;
  $("to-grid").hidden = !gridded && !task?.image;
  $("over").hidden = Boolean(task) || unsent.length > 0 || !over;
  if (!task) return $("over").hidden || finish();
  if (gridded) return showGrid();
  if ($("card").dataset.key === task.key && $("words").childElementCount) return;
  $("card").dataset.key = task.key;
  $("picture").replaceChildren(...(task.image ? [task.image] : []));
  $("words").replaceChildren(...wordsOf(task));
  $("card").scrollTop = 0;
  $("comment").value = "";
  shownAt = performance.now();
}

function showGrid() {
  const there = new Map([...$("grid").children].map((tile) => [tile.dataset.key, tile]));
  $("grid").replaceChildren(...ready.map((task) => there.get(task.key) ?? tile(task)));
}

function tile(task) {
  const words = Object.values(task.words).join(", ").slice(0, 80);
  const made = element("button", { ariaPressed: "false" }, ...(task.image ? [task.image] : []), words);
  made.dataset.key = task.key;
  made.addEventListener("click", () => (made.ariaPressed = String(made.ariaPressed !== "true")));
  return made;
}

function acceptRest() {
  const chosen = new Set([...$("grid").children].filter((t) => t.ariaPressed === "true").map((t) => t.dataset.key));
  if (undoing) return;
  // In the order in which they came, like verdicts one at a time.
  for (const task of ready.splice(0)) unsent.push({ key: task.key, answer: chosen.has(task.key) ? "reject" : "accept" });
  show();
  send();
}

function toGrid() {
  if (!gridded && !ready[0]?.image) return;
  gridded = !gridded;
  $("to-grid").ariaPressed = String(gridded);
  show();
  refill();
}

function finish() {
  const lines = [];
  if (over.progress.left > 0) {
    lines.push(`The last ${over.progress.left} are in front of others. This page looks again by itself.`);
  } else {
    lines.push("Nothing is left for you to judge. Thank you.");
    if (over.progress.waiting > 0) lines.push(`${over.progress.waiting} wait for somebody else.`);
    const { good, good_accepted, bad, bad_rejected } = over.agreement;
    if (good + bad > 0) {
      lines.push(
        `Among your samples were ${good + bad} known ones: you accepted ${good_accepted} of ${good} good ones, ` +
          `and rejected ${bad_rejected} of ${bad} bad ones.`,
      );
    }
    lines.push("When all is judged, the run can go on.");
  }
  $("over").replaceChildren(
    ...lines.map((line) => Object.assign(document.createElement("p"), { textContent: line })),
  );
}

function judge(answer) {
  if (undoing || !ready.length) return;
  const seconds = Math.min(86400, (performance.now() - shownAt) / 1000);
  const comment = $("comment").value.trim();
  unsent.push({ key: ready.shift().key, answer, seconds, ...(comment && { comment }) });
  delete $("card").dataset.key;
  show();
  send();
}

function send() {
  sending ??= sendAll().finally(() => (sending = null));
}

async function sendAll() {
  while (unsent.length) {
    try {
      const [verdict] = unsent;
      const answer = await call("verdicts", { post: verdict, holding: held().filter((key) => key !== verdict.key) });
      unsent.shift();
      receive(answer);
      note("");
    } catch (error) {
      note(error.status < 500 ? error.message : "Your last verdict is not saved yet. Trying again.");
      await new Promise((again) => setTimeout(again, RETRY));
    }
    show();
  }
}

async function undo() {
  if (undoing) return;
  undoing = true;
  await sending; // the verdict to take back may still be on its way
  try {
    const answer = await call("undo", { post: {}, holding: held() });
    if (answer.undone) ready = [prepared(answer.undone), ...ready.filter((task) => task.key !== answer.undone.key)];
    receive(answer);
    note(answer.undone ? "Taken back." : "There is nothing to take back.");
  } catch (error) {
    note(`Not taken back: ${error.message}`);
  }
  undoing = false;
  show();
}

async function correct(key, answer) {
  await sending;
  try {
    receive(await call("verdicts", { post: { key, answer }, holding: held() }));
    note("Corrected.");
  } catch (error) {
    note(`Not corrected: ${error.message}`);
  }
}

async function toMine() {
  const open = $("mine").hidden;
  $("mine").hidden = !open;
  $("to-mine").ariaExpanded = String(open);
  if (!open) return;
  const labels = [...document.querySelectorAll("[data-answer]")].map((b) => [b.dataset.answer, b.firstElementChild.textContent]);
  try {
    $("mine").replaceChildren(list((await call("mine", { holding: [] })).verdicts, labels, correct));
  } catch (error) {
    note(`The server does not answer: ${error.message}`);
  }
}

async function refill() {
  if (!sending && !undoing) {
    try {
      receive(await call("samples", { holding: held() }));
      show();
    } catch (error) {
      note(`The server does not answer: ${error.message}`);
    }
  }
}

function note(words) {
  $("note").textContent = words;
}

// The card scrolls from wherever the focus is.
const SCROLLS = { PageDown: 0.9, PageUp: -0.9, ArrowDown: 0.1, ArrowUp: -0.1 };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, select")) {
    if (event.target === $("comment") && ["Enter", "Escape"].includes(event.key)) $("card").focus();
    return;
  }
  if (SCROLLS[event.key] && !$("card").hidden) {
    $("card").scrollBy({ top: SCROLLS[event.key] * $("card").clientHeight });
    return event.preventDefault();
  }
  if (event.repeat) return;
  const key = event.key.toLowerCase();
  if (KEYS[key] && !gridded) judge(KEYS[key]);
  else if (key === "u") undo();
  else if (key === "g") toGrid();
  else if (key === "l") toMine();
  else if (key === "c" && !$("remark").hidden) {
    event.preventDefault(); // the letter is no comment
    $("comment").focus();
  }
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.answer) judge(button.dataset.answer);
  else if (button && "undo" in button.dataset) undo();
  else if (button === $("to-grid")) toGrid();
  else if (button === $("to-mine")) toMine();
  else if (button === $("accept-rest")) acceptRest();
});
addEventListener("beforeunload", (event) => unsent.length && event.preventDefault());
setInterval(() => ready.length || refill(), REFILL);
refill();
