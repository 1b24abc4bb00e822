// Keys and the drawer of Explore. Without it rows are links, and forms are forms.
(() => {
  "use strict";
  const rows = () => [...document.querySelectorAll("[data-row]")];
  const drawer = document.getElementById("drawer");
  let here = -1;

  const picks = () => [...document.querySelectorAll("[data-pick]")];
  const tell = () => {
    const said = document.querySelector("[data-picked]");
    if (!said) return;
    said.dataset.none ??= said.textContent;
    const chosen = picks().filter((box) => box.checked).length;
    const filters = [...document.querySelectorAll("#bulk [data-filter]")];
    said.textContent = chosen ? `${chosen} chosen` : said.dataset.none;
    // Chosen items alone, or all hits of the filter: never both.
    filters.forEach((field) => (field.disabled = chosen > 0));
    const all = document.querySelector("[data-pick-all]");
    if (all) {
      all.checked = chosen > 0 && chosen === picks().length;
      all.indeterminate = chosen > 0 && chosen < picks().length;
    }
  };

  const go = (to) => {
    const list = rows();
    if (!list.length) return;
    here = Math.max(0, Math.min(to, list.length - 1));
    list[here].querySelector("a").focus();
    list[here].scrollIntoView({ block: "nearest" });
  };

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-pick-all]"))
      picks().forEach((box) => (box.checked = event.target.checked));
    if (event.target.matches("[data-pick], [data-pick-all]")) tell();
  });

  document.addEventListener("focusin", (event) => {
    const row = event.target.closest("[data-row]");
    if (row) here = rows().indexOf(row);
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.target.id !== "drawer-body") return;
    const title = event.target.querySelector("[data-item-title]");
    document.getElementById("drawer-title").textContent = title ? title.dataset.itemTitle : "Item";
    if (!drawer.open) drawer.showModal();
    drawer.scrollTop = 0;
  });

  const say = (key) => {
    const choice = rows()[here]?.querySelector(`[data-say="${key}"]`);
    if (!choice) return;
    choice.checked = true;
    go(here + 1);
  };

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || drawer?.open) return;
    const keys = {
      j: () => go(here + 1),
      k: () => go(here - 1),
      o: () => rows()[here]?.querySelector("a").click(),
      x: () => rows()[here]?.querySelector("[data-pick]")?.click(),
      ...(document.querySelector("[data-say]") && { y: () => say("y"), n: () => say("n") }),
      "/": () => document.querySelector("[data-search]")?.focus(),
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  addEventListener("pageshow", tell);
})();
