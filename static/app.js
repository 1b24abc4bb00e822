// Runs in the head, before the first paint: the theme a person chose, then small behaviours that
// every page shares. Everything is found by data attributes; nothing here is needed to read a page.
(() => {
  "use strict";
  const root = document.documentElement;
  const stored = () => {
    try {
      return localStorage.getItem("concord.theme");
    } catch {
      return null; // storage is switched off: the theme follows the system
    }
  };

  const apply = (theme) => {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
  };
  apply(stored());

  const isDark = () =>
    root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;

  const switchTheme = () => {
    const theme = isDark() ? "light" : "dark";
    apply(theme);
    try {
      localStorage.setItem("concord.theme", theme);
    } catch {
      // kept for this page only
    }
    document
      .querySelectorAll("[data-theme-switch]")
      .forEach((button) => button.setAttribute("aria-pressed", String(isDark())));
  };

  // Another tab switched.
  addEventListener("storage", (event) => {
    if (event.key === "concord.theme") apply(event.newValue);
  });

  const closeMenus = (except) =>
    document.querySelectorAll("details.menu[open]").forEach((menu) => {
      if (menu !== except) menu.open = false;
    });

  document.addEventListener("click", (event) => {
    const target = event.target;
    if (!(target instanceof Element)) return;
    closeMenus(target.closest("details.menu"));
    if (target.closest("[data-theme-switch]")) switchTheme();
    const opener = target.closest("[data-opens]");
    if (opener) document.getElementById(opener.dataset.opens)?.showModal();
    if (target.closest("[data-closes]")) target.closest("dialog")?.close();
    if (target instanceof HTMLDialogElement) target.close();
    const copier = target.closest("[data-copies]");
    if (copier) {
      const source = document.getElementById(copier.dataset.copies);
      navigator.clipboard?.writeText(source.value ?? source.textContent).then(() => {
        copier.querySelector("[data-said]").textContent = "Copied";
      });
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = document.querySelector("details.menu[open]");
    if (!menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });

  // Forms that change much ask first; a form that is being sent is not sent twice.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const question = event.submitter?.dataset.confirm ?? form.dataset.confirm;
    if (question && !confirm(question)) {
      event.preventDefault();
      return;
    }
    if (form.dataset.once === undefined) return;
    if (form.dataset.sent !== undefined) event.preventDefault();
    form.dataset.sent = "";
    form.querySelectorAll("[type=submit]").forEach((b) => b.setAttribute("aria-disabled", "true"));
  });
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent);
  });

  // A row of screens that is wider than the window begins where the present one can be seen.
  const bringIntoView = (here) => {
    const row = here.parentElement;
    row.scrollLeft = Math.max(0, here.offsetLeft + here.offsetWidth - row.clientWidth + here.offsetWidth / 2);
  };

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("nav > [aria-current=page]").forEach(bringIntoView);
    document
      .querySelectorAll("[data-theme-switch]")
      .forEach((button) => button.setAttribute("aria-pressed", String(isDark())));
    document.querySelectorAll("select[data-goes]").forEach((select) =>
      select.addEventListener("change", () => select.form.requestSubmit()),
    );
  });
})();
