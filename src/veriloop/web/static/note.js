// Saves the note and the tags of a run.
const form = document.getElementById("note-form");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const said = document.getElementById("note-said");
  const answer = await fetch(form.action, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": document.querySelector("meta[name=csrf]").content },
    body: JSON.stringify(Object.fromEntries(new FormData(form))),
  }).catch(() => null);
  said.textContent = answer === null ? "No answer from the server." : answer.ok ? "Saved." : (await answer.text()).trim();
});
