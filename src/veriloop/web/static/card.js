// How a sample is drawn. Always as text, never as markup: samples come from a model.
const judged = new Set(JSON.parse(document.querySelector("main").dataset.judged));

export function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

export function imageOf(task) {
  if (!task.picture) return null;
  const image = new Image();
  image.src = task.picture;
  image.className = task.drawn ? "" : "photograph"; // whose light is not the page's to turn
  image.alt = Object.entries(task.words).map(([name, words]) => `sample with ${name} ${words}`).join(", ") || "sample";
  image.decode().catch(() => {}); // so that showing it takes no time
  return image;
}

const isCode = (text) => text.includes("```") || /\n[ \t]+\S/.test(text);

// Terms and texts of a sample, those that are judged marked.
export function wordsOf(task) {
  return Object.entries(task.words).flatMap(([name, text]) => {
    const kinds = [text.length > 24 || text.includes("\n") ? "long" : "short"];
    if (judged.has(name)) kinds.push("judged");
    if (isCode(text)) kinds.push("code");
    return [
      element("dt", { textContent: name }),
      element("dd", { textContent: text, className: kinds.join(" ") }),
    ];
  });
}
