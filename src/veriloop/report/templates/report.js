// Draws every figure in the page's colours: those in sight at once, those in a fold when it is opened, and all
// again when the reader switches between light and dark.
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// The report holds plotly packed, to be a fifth of its size; the page has loaded it by itself.
async function plotly() {
  const packed = document.getElementById("plotly");
  if (window.Plotly || !packed) return;
  const bytes = Uint8Array.from(atob(packed.textContent), (c) => c.charCodeAt(0));
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(unpacked).text();
  document.head.append(script);
}

function themed(layout) {
  const soft = colour("--soft");
  return {
    ...layout,
    font: { ...layout.font, color: soft },
    hoverlabel: { bgcolor: colour("--panel"), bordercolor: colour("--line"), font: { color: colour("--ink") } },
  };
}

function draw() {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  for (const [id, figure] of Object.entries(figures)) {
    const canvas = document.getElementById(id);
    if (!canvas?.checkVisibility()) continue;
    const name = `${document.querySelector("h1").textContent.trim()}-${id}`;
    const options = {
      responsive: true, displaylogo: false, displayModeBar: "hover",
      modeBarButtons: [["zoom2d", "pan2d", "autoScale2d", "toImage", logAxis, csvOf(name)]],
      toImageButtonOptions: { filename: name },
    };
    Plotly.react(canvas, figure.data, themed(figure.layout), options);
  }
}

// The signs of the two buttons that plotly does not have.
const sign = (path) => ({ width: 16, height: 16, path });
const logAxis = {
  name: "log", title: "Logarithmic axis, and back", icon: sign("M2 2v12h12v-2H4V2z M6 10l2-4 2-1 4-1v2l-3 1-2 1-1 3z"),
  click: (canvas) =>
    Plotly.relayout(canvas, { "yaxis.type": canvas.layout.yaxis.type === "log" ? "linear" : "log", "yaxis.autorange": true }),
};

function csvOf(name) {
  return {
    name: "csv", title: "Download the numbers as CSV", icon: sign("M7 1h2v7h3l-4 4-4-4h3z M2 13h12v2H2z"),
    click: (canvas) => {
      const rows = canvas.data
        .filter((trace) => trace.hoverinfo !== "skip")
        .flatMap((trace) => [...trace.x].map((x, i) => [trace.name, x, trace.y[i]]));
      const cell = (value) => `"${String(value ?? "").replaceAll('"', '""')}"`;
      const text = [["series", "x", "y"], ...rows].map((row) => row.map(cell).join(",")).join("\r\n");
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
      link.download = `${name}.csv`;
      link.click();
      URL.revokeObjectURL(link.href);
    },
  };
}

const drawn = plotly().then(draw);
document.addEventListener("toggle", () => drawn.then(draw), true);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.then(draw));
