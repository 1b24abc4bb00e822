// Start from another project: which labels here are still without a counterpart, while the table is changed.
(() => {
  "use strict";
  const tell = (form) => {
    const meant = new Set([...form.querySelectorAll("input[list]")].map((field) => field.value.trim()));
    const ours = [...form.querySelectorAll("datalist option")].map((option) => option.value);
    const alone = ours.filter((name) => !meant.has(name)).join(", ");
    const said = form.querySelector("[data-alone]");
    const words = alone ? `Without a counterpart: ${alone}.` : "Every label here has a counterpart.";
    if (said.textContent === words) return; // nothing to read out for each letter that is typed
    const named = document.createElement("strong");
    named.textContent = alone;
    said.replaceChildren(...(alone ? ["Without a counterpart: ", named, "."] : [words]));
  };
  document.addEventListener("input", (event) => {
    const form = event.target.closest("[data-matches]");
    if (form) tell(form);
  });
  // What a browser typed in again when one comes back to the page.
  addEventListener("pageshow", () => document.querySelectorAll("[data-matches]").forEach(tell));
})();
