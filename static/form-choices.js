// Questions of a form on a plain page: one that the answers do not lead to is hidden, and says nothing.
(() => {
  "use strict";
  const follow = (form) => {
    const given = () => [...form.querySelectorAll("[data-asks]:not([hidden]) input:checked")].map((one) => one.value);
    for (const question of form.querySelectorAll("[data-asks]")) {
      const after = question.dataset.asks.split(" ").filter(Boolean);
      question.hidden = after.length > 0 && !after.some((id) => given().includes(id));
      if (question.hidden) question.querySelectorAll("input").forEach((one) => (one.checked = false));
    }
  };
  const all = () => document.querySelectorAll("form:has([data-asks])").forEach(follow);
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form");
    if (form?.querySelector("[data-asks]")) follow(form);
  });
  document.addEventListener("htmx:afterSettle", all);
  document.addEventListener("DOMContentLoaded", all);
  if (document.readyState !== "loading") all();
})();
