// The list of one's own verdicts, to correct them.
import { element, imageOf } from "./card.js";

const brief = (task) => Object.values(task.words).join(" · ").slice(0, 120) || "sample";

function row(verdict, labels, correct) {
  const choice = element("select", {});
  choice.append(...labels.map(([answer, label]) => new Option(label, answer, false, answer === verdict.answer)));
  choice.ariaLabel = `Your verdict on ${brief(verdict)}`;
  choice.addEventListener("change", () => correct(verdict.key, choice.value));
  const image = imageOf(verdict);
  const said = verdict.comment ? [element("q", { textContent: verdict.comment })] : [];
  return element("li", {}, ...(image ? [image] : []), element("span", { textContent: brief(verdict) }), ...said, choice);
}

export function list(verdicts, labels, correct) {
  if (!verdicts.length) return element("p", { textContent: "You have given no verdict yet." });
  return element("ol", {}, ...verdicts.map((verdict) => row(verdict, labels, correct)));
}
