// One key each: a key presses the control that shows it. Keys rest while a text field has the focus.
(() => {
  "use strict";
  const place = (event) => (/^(Digit|Numpad)\d$/.test(event.code) ? event.code.at(-1) : event.key);

  // One case at a time: while a decision is on its way, keys mean nothing. A key that was meant for
  // the case before must never decide the next one.
  let busy = false;
  const become = (state) => {
    busy = state;
    document.getElementById("main").setAttribute("aria-busy", String(state));
  };
  document.addEventListener("htmx:beforeRequest", () => become(true));
  document.addEventListener("htmx:afterSettle", () => {
    become(false);
    // The control that had the focus is gone: reading and Tab go on at the question, not at the page's top.
    const lost = !document.activeElement || document.activeElement === document.body;
    if (lost) document.querySelector("[data-question]")?.focus({ preventScroll: true });
  });
  // A refusal is a page of ours: shown in place of the case.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (!event.detail.isError) return;
    become(false);
    event.detail.shouldSwap = true;
    event.detail.target = document.getElementById("main");
    event.detail.selectOverride = "#main";
    event.detail.swapOverride = "outerHTML";
  });
  document.addEventListener("htmx:sendError", () => {
    become(false);
    document.querySelectorAll("form[data-sent]").forEach((form) => {
      delete form.dataset.sent;
      form.querySelectorAll("[aria-disabled]").forEach((one) => one.removeAttribute("aria-disabled"));
    });
    const state = document.querySelector("#case [role=status]");
    if (state) state.textContent = "Not stored: the server cannot be reached. Press the key again.";
  });

  document.addEventListener("keydown", (event) => {
    if (busy && !/^(F\d+|Tab|Escape)$/.test(event.key)) {
      event.preventDefault();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const at = event.target;
    const typing = at.matches("textarea, select, input:not([type=checkbox])");
    if (typing && !(at.matches("[data-finds]") && event.key === "Enter")) return;
    // On a focused control space and enter do what the control does.
    if ((event.key === " " || event.key === "Enter") && at.matches("a, button, summary, input[type=checkbox]"))
      return;
    if (event.key === "/") {
      const finder = document.querySelector("[data-finds], [data-goes-here]");
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
    control.matches("input[type=text], textarea") ? control.focus() : control.click();
  });

  // A voice's answer becomes the text to decide by.
  document.addEventListener("click", (event) => {
    const written = event.target.closest("[data-writes]");
    if (written) document.getElementById("written").value = written.dataset.writes;
  });

  document.addEventListener("input", (event) => {
    if (!event.target.matches("[data-finds]")) return;
    const wanted = event.target.value.trim().toLowerCase();
    document
      .querySelectorAll("[data-choice]")
      .forEach((row) => (row.hidden = !row.dataset.choice.includes(wanted)));
  });
})();
