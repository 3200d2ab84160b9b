// Lets a run stop or go on. The page shows what came of it by itself, at its next look.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-steer]");
  if (!button) return;
  button.disabled = true;
  const said = document.getElementById("steer-said");
  const answer = await fetch(button.dataset.steer, {
    method: "POST",
    headers: { "X-CSRF-Token": document.querySelector("meta[name=csrf]").content },
  }).catch(() => null);
  button.disabled = false;
  said.textContent = answer === null ? "No answer from the server." : answer.ok ? "" : (await answer.text()).trim();
});
