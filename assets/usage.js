/* The little that a browser must do itself: theme, busy state, trouble on the way to the server. */
(function () {
  "use strict";

  const CALLBACKS = "_dash-update-component";
  const TABLE = "usage-table.data";

  const THEMES = { system: "System", light: "Light", dark: "Dark" };

  /* Figures are dimmed while newer ones are on their way. */
  let waiting = 0;
  function wait(change) {
    waiting += change;
    const main = document.getElementById("usage-main");
    if (main) main.setAttribute("aria-busy", waiting > 0 ? "true" : "false");
  }

  function tell(sentence) {
    window.dash_clientside.set_props("usage-trouble-text", { children: sentence });
    window.dash_clientside.set_props("usage-trouble", { hidden: false });
  }

  const fetchFromServer = window.fetch.bind(window);
  window.fetch = async function (resource, options) {
    const url = String(resource && resource.url ? resource.url : resource);
    if (!url.includes(CALLBACKS)) return fetchFromServer(resource, options);
    const dims = String((options && options.body) || "").includes(TABLE);
    if (dims) wait(+1);
    try {
      const response = await fetchFromServer(resource, options);
      const json = (response.headers.get("content-type") || "").includes("application/json");
      /* A refusal carries what to show; the renderer only shows what comes as a success. */
      if ((response.status === 401 || response.status === 404) && json) {
        return new Response(await response.text(), { status: 200, headers: response.headers });
      }
      if (response.status >= 500) {
        tell("The server could not answer. Try again in a moment.");
      }
      return response;
    } catch (failure) {
      tell("The server cannot be reached. Check your connection and try again.");
      throw failure;
    } finally {
      if (dims) wait(-1);
    }
  };

  /* DataTable takes Tab and the arrows for a cursor that this table does not have: whoever came in by
     keyboard would not get out again. The keys stay the browser's own. */
  window.addEventListener(
    "keydown",
    (event) => {
      if (event.target.closest && event.target.closest("#usage-table")) event.stopPropagation();
    },
    true
  );

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    usage: {
      chooseTheme: function () {
        const clicked = window.dash_clientside.callback_context.triggered_id;
        if (clicked) window.usageTheme.choose(clicked.replace("usage-theme-", ""));
        return "Theme: " + THEMES[window.usageTheme.chosen()];
      },
      closeQuestion: function () {
        return true;
      },
      /* A new page of the ledger is read from its top, under its own name. */
      turnPage: function (view) {
        document.title = view ? view.title : "Usage";
        const table = document.querySelector("#usage-table .dash-spreadsheet-container");
        if (table) table.scrollTop = 0;
        const top = document.querySelector(".usage-table");
        if (top && top.getBoundingClientRect().top < 0) top.scrollIntoView();
        return window.dash_clientside.no_update;
      },
    },
  });
})();
