// One key each: a key presses the control that shows it. Keys rest while a text field has the focus.
(() => {
  "use strict";
  const place = (event) => (/^(Digit|Numpad)\d$/.test(event.code) ? event.code.at(-1) : event.key);

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const at = event.target;
    const typing = at.matches("textarea, select, input:not([type=checkbox])");
    if (typing && !(at.matches("[data-finds]") && event.key === "Enter")) return;
    // On a focused control space and enter do what the control does.
    if ((event.key === " " || event.key === "Enter") && at.matches("a, button, summary, input[type=checkbox]"))
      return;
    if (event.key === "/") {
      const finder = document.querySelector("[data-finds]");
      if (!finder) return;
      event.preventDefault();
      finder.focus();
      return;
    }
    const key = event.shiftKey && /^(Digit)\d$/.test(event.code) ? `⇧${event.code.at(-1)}` : place(event);
    const control = [...document.querySelectorAll("#main [data-key]")].find(
      (one) => one.dataset.key === key || one.dataset.key === key.toLowerCase(),
    );
    if (typing) {
      // Enter in the search takes the first label found.
      const first = document.querySelector("[data-choice]:not([hidden]) :is(button, input)");
      event.preventDefault();
      first?.click();
      return;
    }
    if (!control) return;
    event.preventDefault();
    control.click();
  });

  document.addEventListener("input", (event) => {
    if (!event.target.matches("[data-finds]")) return;
    const wanted = event.target.value.trim().toLowerCase();
    document
      .querySelectorAll("[data-choice]")
      .forEach((row) => (row.hidden = !row.dataset.choice.includes(wanted)));
  });
})();
