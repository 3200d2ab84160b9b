// One sample at a time. The next ones lie ready, so a key shows the next at once; verdicts are sent in order,
// and count as given only when the server has said that they are on its disk.
const page = document.querySelector("main").dataset;
const csrf = document.querySelector("meta[name=csrf]").content;
const $ = (id) => document.getElementById(id);
const KEYS = { y: "accept", n: "reject", s: "abstain" };
const RETRY = 1000; // milliseconds until a verdict that did not get through is sent again
const REFILL = 5000; // and until we look whether others have left something to do

let ready = []; // samples before the annotator; the first one is shown
let unsent = []; // verdicts that the server has not confirmed
let sending = null; // while verdicts are on their way, a promise of the end of it
let undoing = false;
let over = null; // what the server last said of how far we are

async function call(path, body) {
  const query = new URLSearchParams({ annotator: page.annotator });
  for (const key of body.holding) query.append("holding", key);
  const response = await fetch(
    body.post ? `${page.queue}/${path}` : `${page.queue}/${path}?${query}`,
    body.post && {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
      body: JSON.stringify({ annotator: page.annotator, holding: body.holding, ...body.post }),
    },
  );
  if (!response.ok) throw Object.assign(new Error(await response.text()), { status: response.status });
  return response.json();
}

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

function prepared(task) {
  const image = task.picture && new Image();
  if (image) {
    image.src = task.picture;
    image.className = task.drawn ? "" : "photograph"; // whose light is not the page's to turn
    image.alt = Object.entries(task.words).map(([name, words]) => `sample with ${name} ${words}`).join(", ") || "sample";
    image.decode().catch(() => {}); // so that showing it takes no time
  }
  return { ...task, image };
}

function show() {
  const [task] = ready;
  $("card").hidden = $("answers").hidden = !task;
  $("over").hidden = Boolean(task) || unsent.length > 0 || !over;
  if (!task) return $("over").hidden || finish();
  $("card").dataset.key = task.key;
  $("picture").replaceChildren(...(task.image ? [task.image] : []));
  $("words").replaceChildren(
    ...Object.entries(task.words).flatMap(([name, words]) => {
      const [term, text] = [document.createElement("dt"), document.createElement("dd")];
      // As text, never as markup: samples come from a model.
      [term.textContent, text.textContent] = [name, words];
      text.className = words.length > 24 ? "long" : "short";
      return [term, text];
    }),
  );
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
    lines.push("When all is judged, go on with: veriloop resume");
  }
  $("over").replaceChildren(
    ...lines.map((line) => Object.assign(document.createElement("p"), { textContent: line })),
  );
}

function judge(answer) {
  if (undoing || !ready.length) return;
  unsent.push({ key: ready.shift().key, answer });
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

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const key = event.key.toLowerCase();
  if (KEYS[key]) judge(KEYS[key]);
  else if (key === "u") undo();
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.answer) judge(button.dataset.answer);
  else if (button && "undo" in button.dataset) undo();
});
addEventListener("beforeunload", (event) => unsent.length && event.preventDefault());
setInterval(() => ready.length || refill(), REFILL);
refill();
