// Questions of a form on a plain page: one that the answers do not lead to is hidden, and says nothing.
// Digits answer the question that is marked; a single answer moves on to the next one, and so does j.
(() => {
  "use strict";
  const QUESTIONS = "[data-asks]:not([hidden])";
  const follow = (form) => {
    const given = () => [...form.querySelectorAll("[data-asks]:not([hidden]) input:checked")].map((one) => one.value);
    for (const question of form.querySelectorAll("[data-asks]")) {
      const after = question.dataset.asks.split(" ").filter(Boolean);
      question.hidden = after.length > 0 && !after.some((id) => given().includes(id));
      question.disabled = question.hidden; // a place that was marked says nothing then either
      if (question.hidden) question.querySelectorAll("input").forEach((one) => (one.checked = false));
    }
  };
  const forms = () => document.querySelectorAll("form:has([data-asks])");
  const isAnswered = (question) => {
    const field = question.querySelector("textarea");
    if (field) return question.matches("[data-optional]") || field.value.trim() !== "";
    return question.querySelector("input:checked") !== null;
  };
  const now = () => document.querySelector("[data-asks].now:not([hidden])");

  const mark = (question) => {
    if (!question) return;
    question.form.querySelectorAll("[data-asks]").forEach((one) => one.classList.toggle("now", one === question));
  };
  const next = (question, wanted = () => true) => {
    const shown = [...question.form.querySelectorAll(QUESTIONS)];
    return shown.slice(shown.indexOf(question) + 1).find(wanted);
  };
  const begin = (form) => {
    follow(form);
    const shown = [...form.querySelectorAll(QUESTIONS)];
    mark(shown.find((one) => !isAnswered(one)) ?? shown[0]);
  };
  const all = () => forms().forEach(begin);

  const answer = (question, place) => {
    const offered = question.querySelectorAll("[data-into]")[place];
    if (offered) offered.click();
    if (question.querySelector("textarea")) return true;
    const input = question.querySelectorAll("input")[place];
    if (!input) return false;
    input.checked = input.type === "radio" || !input.checked;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    if (input.type === "radio") go(next(question));
    return true;
  };
  const go = (question) => {
    mark(question);
    question?.scrollIntoView({ block: "nearest" });
    return Boolean(question);
  };

  const pressed = (event) => {
    const question = now();
    if (!question || document.getElementById("main")?.getAttribute("aria-busy") === "true") return false;
    if (/^(Digit|Numpad)\d$/.test(event.code) && !event.shiftKey)
      return answer(question, (Number(event.code.at(-1)) + 9) % 10);
    const field = event.key === "e" && question.querySelector("textarea");
    if (field) field.focus();
    if (field) return true;
    if (event.key === "j") return go(next(question) ?? question.form.querySelector(QUESTIONS));
    if (event.target.matches("input")) return false;
    // Enter goes through the questions that are left, and only then does what its button does.
    if (event.key !== "Enter" || !question.form.matches("[data-by-question]")) return false;
    return go(next(question, (one) => !isAnswered(one)));
  };
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      if (event.target.matches("a, button, summary, textarea, select, input:not([type=radio], [type=checkbox])")) return;
      if (!pressed(event)) return;
      event.preventDefault();
      event.stopPropagation();
    },
    true,
  );

  // A voice's text becomes the one to decide by.
  document.addEventListener("click", (event) => {
    const offered = event.target.closest("[data-into]");
    if (offered) document.getElementById(offered.dataset.into).value = offered.value;
  });
  document.addEventListener("focusin", (event) => {
    if (event.target.matches("[data-asks] textarea")) mark(event.target.closest("[data-asks]"));
  });
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form");
    if (!form?.querySelector("[data-asks]")) return;
    follow(form);
    mark(event.target.closest("[data-asks]"));
  });
  document.addEventListener("htmx:afterSettle", all);
  document.addEventListener("DOMContentLoaded", all);
  if (document.readyState !== "loading") all();
})();
