/* The menu of the export opens and closes by itself; a browser does not know that Escape and a press
   elsewhere close it too. */
(function () {
  "use strict";
  function opened() {
    const menu = document.getElementById("usage-export-menu");
    return menu && menu.open ? menu : null;
  }
  function escape(event) {
    const menu = opened();
    if (event.key !== "Escape" || !menu) return;
    /* One press closes one thing. */
    event.stopPropagation();
    if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
    menu.open = false;
  }
  document.addEventListener("keydown", escape, true);
  /* The file comes, or a question about it above the table: neither needs the menu. */
  document.addEventListener("click", (event) => {
    const menu = opened();
    if (menu && event.target.id === "usage-export-chosen") menu.open = false;
  });
  for (const left of ["pointerdown", "focusin"]) {
    document.addEventListener(left, (event) => {
      const menu = opened();
      if (menu && !menu.contains(event.target)) menu.open = false;
    });
  }
})();
