/* Runs in the head, before the first paint, so that a dark page never flashes white. */
(function () {
  "use strict";
  const KEY = "usage-theme";
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const asked = new URLSearchParams(window.location.search);
  let theme = "system";
  try {
    theme = window.localStorage.getItem(KEY) || theme;
  } catch (blocked) {
    /* Storage is blocked: a choice holds until the page is left. */
  }
  /* A portal says how its page looks; that is not the reader's own choice, and is not kept. */
  if (["light", "dark"].includes(asked.get("theme"))) theme = asked.get("theme");
  if (asked.get("embed") === "1") document.documentElement.setAttribute("data-embed", "");
  function apply() {
    const shown = theme === "system" ? (dark.matches ? "dark" : "light") : theme;
    document.documentElement.setAttribute("data-bs-theme", shown);
  }
  window.usageTheme = {
    chosen: () => theme,
    choose: function (choice) {
      theme = choice;
      apply();
      try {
        window.localStorage.setItem(KEY, theme);
      } catch (blocked) {
        /* See above. */
      }
    },
  };
  dark.addEventListener("change", apply);
  apply();
})();
