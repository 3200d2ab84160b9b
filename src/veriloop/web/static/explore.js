// Sliders over the theory. The server answers each move in milliseconds; of several moves only the last counts.
const form = document.getElementById("sliders");
const FIGURE = { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, dragmode: false };
const GRID = "rgba(128, 128, 128, 0.22)";
const TRUTH = "#2f80c8";
const CENTER = "#d55e00";
const REGIMES = {
  improving: "It helps, and still does after round BEST: go on.",
  gain_then_plateau: "It helps, and then stays where it is: round BEST is the best.",
  gain_then_reversal: "It helps, and then pulls away from the truth: round BEST is the best. Or improve the verifier.",
  harmful: "No round beats the start: improve the verifier.",
};
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const percent = (share) => `${Math.abs(100 * share).toFixed(Math.abs(share) < 0.0995 ? 1 : 0)} %`;
const change = (gain) => (gain > 0 ? "−" : "+") + percent(gain);

let answers = null;
let asked = 0;

function settings() {
  const values = {};
  for (const input of form.querySelectorAll("input")) {
    const number = Number(input.value);
    values[input.name] = "log" in input.dataset ? Math.round(10 ** number) : number;
  }
  return values;
}

function label(values) {
  for (const output of form.querySelectorAll("output")) {
    const value = values[output.htmlFor[0]];
    output.textContent = Number.isInteger(value) ? value.toLocaleString("en") : value.toFixed(2);
    document.getElementById(output.htmlFor[0]).setAttribute("aria-valuetext", output.textContent);
  }
}

async function ask() {
  const values = settings();
  const mine = ++asked;
  label(values);
  const response = await fetch(`/explore/data?${new URLSearchParams(values)}`);
  if (mine !== asked) return;
  if (!response.ok) {
    document.getElementById("answer").textContent = await response.text();
    return;
  }
  answers = { ...(await response.json()), values };
  if (mine !== asked) return;
  history.replaceState(null, "", `?${new URLSearchParams(values)}`);
  draw();
}

function draw() {
  if (!answers) return;
  tell();
  drawPhase();
  drawCourse();
  document.querySelector("main").dataset.drawn = asked;
}

function tell() {
  const { best_round, gain, gain_in_round_one, regime, acceptance_rate, helpful_biases } = answers;
  const helpful = helpful_biases.map(([low, high]) => `${low.toFixed(2)} to ${high.toFixed(2)}`).join(", ") || "none";
  const outside = answers.contains_truth ? "" : " The truth lies outside the verifier's ball.";
  document.getElementById("answer").textContent = REGIMES[regime].replace("BEST", best_round) + outside;
  const numbers = {
    gain_in_round_one: change(gain_in_round_one),
    gain: best_round > 0 ? change(gain) : "–",
    best: best_round > 0 ? `after round ${best_round}, the best` : "no round is better",
    helpful_biases: helpful,
    acceptance_rate: percent(acceptance_rate),
  };
  for (const [name, words] of Object.entries(numbers)) document.getElementById(name).textContent = words;
  document.querySelector("main").dataset.regime = regime;
}

function layout(x, y) {
  const axis = { gridcolor: GRID, linecolor: GRID, zeroline: false, automargin: true, fixedrange: true };
  return {
    ...FIGURE,
    font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("--soft") },
    hoverlabel: { bgcolor: colour("--panel"), bordercolor: colour("--line"), font: { color: colour("--ink") } },
    margin: { l: 8, r: 12, t: 10, b: 8 },
    xaxis: { ...axis, ...x, title: { text: x.title, font: { size: 12 } } },
    yaxis: { ...axis, ...y, title: { text: y.title, font: { size: 12 } } },
  };
}

function drawPhase() {
  const { biases, radii, log_gain } = answers.phase;
  const largest = Math.max(0.1, ...log_gain.flat().map(Math.abs));
  const page = colour("--panel");
  const heat = {
    type: "heatmap", x: biases, y: radii, z: log_gain, zsmooth: "best", showscale: false,
    zmin: -largest, zmax: largest, colorscale: [[0, CENTER], [0.5, page], [1, TRUTH]],
    hovertemplate: "bias %{x:.2f}, radius %{y:.2f}<br>log gain %{z:.2f}<extra></extra>",
  };
  const even = {
    type: "contour", x: biases, y: radii, z: log_gain, showscale: false, hoverinfo: "skip",
    contours: { type: "constraint", operation: "=", value: 0 }, line: { color: colour("--ink"), width: 1.5 },
  };
  const point = {
    type: "scatter", mode: "markers", x: [answers.values.bias], y: [answers.values.radius], hoverinfo: "skip",
    marker: { size: 13, color: page, line: { color: colour("--ink"), width: 2.5 } },
  };
  Plotly.react("phase", [heat, even, point], layout({ title: "bias" }, { title: "radius" }), {
    responsive: true, displayModeBar: false,
  });
}

function drawCourse() {
  const { to_truth, to_center } = answers.course;
  const start = to_truth[0];
  const rounds = to_truth.map((_, round) => round);
  const curve = (values, name, color, dash) => ({
    type: "scatter", mode: "lines", x: rounds, y: values.map((v) => v / start), name,
    line: { color, dash, width: 2.25 }, hovertemplate: "%{y:.3~g}",
  });
  const best = {
    type: "scatter", mode: "markers", x: [answers.best_round], y: [to_truth[answers.best_round] / start],
    marker: { size: 11, color: TRUTH }, hovertemplate: "best round", name: "",
  };
  const floor = curve(rounds.map(() => answers.floor), "where it ends", colour("--soft"), "dot");
  const figure = layout({ title: "round" }, { rangemode: "tozero" });
  Plotly.react(
    "course",
    [floor, curve(to_center, "to the center", CENTER, "dash"), curve(to_truth, "to the truth", TRUTH, "solid"), best],
    { ...figure, hovermode: "x unified" },
    { responsive: true, displayModeBar: false },
  );
}

/** Moves the sliders to where the reader has pointed. */
function go(event) {
  const [point] = event.points;
  form.elements.bias.value = point.x;
  form.elements.radius.value = point.y;
  ask();
}

for (const input of form.querySelectorAll("input[data-log]")) input.value = Math.log10(input.getAttribute("value"));
form.addEventListener("input", ask);
form.addEventListener("submit", (event) => event.preventDefault());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
ask().then(() => document.getElementById("phase").on("plotly_click", go));
