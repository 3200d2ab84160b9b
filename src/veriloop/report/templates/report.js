// Draws every figure in the page's colours, and again when the reader switches between light and dark.
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

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
    const options = { responsive: true, displayModeBar: false };
    Plotly.react(id, figure.data, themed(figure.layout), options);
  }
}

draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
