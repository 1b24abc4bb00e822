// After a label was moved the page is new: give the focus back to the same button, so that a
// person can press it again.
(() => {
  "use strict";
  addEventListener("DOMContentLoaded", () => {
    const name = location.hash.slice(1);
    if (/^(up|down)-\d+$/.test(name)) document.getElementById(name)?.focus();
  });
})();
