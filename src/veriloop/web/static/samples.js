// A choice shows at once; a number or a text waits for the button, or for Enter.
document.getElementById("look")?.addEventListener("change", (event) => {
  if (event.target.matches("select")) event.target.form.requestSubmit();
});
