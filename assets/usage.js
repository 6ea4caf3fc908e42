/* The little that a browser must do itself: theme, busy state, trouble on the way to the server. */
(function () {
  "use strict";

  const CALLBACKS = "_dash-update-component";
  /* What is dimmed while the answer with this in it is on its way. */
  const WAITING = { "usage-table.data": "usage-main", "usage-summary.children": "usage-figures" };
  const PAGING = ["usage-prev.n_clicks", "usage-next.n_clicks"];
  const AGAIN = "usage-retry.n_clicks";
  const DATE_LINK = '#usage-table td[data-dash-column="date"] a[href]';

  const THEMES = { system: "System", light: "Light", dark: "Dark" };

  /* Figures are dimmed while newer ones are on their way. */
  const waiting = {};
  function wait(id, change) {
    waiting[id] = (waiting[id] || 0) + change;
    const part = document.getElementById(id);
    if (part) part.setAttribute("aria-busy", waiting[id] > 0 ? "true" : "false");
  }

  function tell(sentence, kept = true) {
    const { set_props } = window.dash_clientside;
    const main = document.getElementById("usage-main");
    const asOf = document.getElementById("usage-as-of");
    if (main && main.dataset.state === "loading") {
      set_props("usage-main", { "data-state": "nothing" });
    } else if (kept && asOf && asOf.textContent) {
      sentence += " What is below is " + asOf.textContent.replace(/^.*As of/, "as of") + ".";
    }
    set_props("usage-trouble-text", { children: sentence });
    set_props("usage-trouble", { hidden: false });
    set_props("usage-retry", { hidden: false });
  }

  /* What was clicked when the server could not be reached: trying again means that. */
  let failed = [];
  function withFailed(body) {
    const asked = JSON.parse(body);
    if (asked.changedPropIds.includes(AGAIN)) {
      asked.changedPropIds = [...new Set([...failed, ...asked.changedPropIds])];
    }
    return asked;
  }

  /* What is clicked while an answer is on its way makes the renderer drop that answer; the question
     itself it would put only after another click. */
  function takeTurn() {
    window.dash_clientside.set_props("usage-turn", { data: Date.now() });
  }

  const TURN = 100;

  const fetchFromServer = window.fetch.bind(window);
  const fetchAsViewer = window.usagePortal(fetchFromServer, tell) || fetchFromServer;

  /* In a frame, what leads away from the page opens beside the portal. */
  if (document.documentElement.hasAttribute("data-embed")) {
    window.addEventListener(
      "click",
      (event) => {
        const link = event.target.closest && event.target.closest("a[href]");
        if (!link) return;
        const own = /\/workspace\/.+\/usage\/?$/.test(link.pathname);
        if (own && link.origin === window.location.origin) return;
        link.target = "_blank";
        link.rel = "noopener";
      },
      true
    );
  }

  window.fetch = async function (resource, options) {
    const url = String(resource && resource.url ? resource.url : resource);
    if (!url.includes(CALLBACKS)) return fetchFromServer(resource, options);
    const body = String((options && options.body) || "");
    const output = Object.keys(WAITING).find((each) => body.includes(each));
    const dimmed = output ? [WAITING[output]] : [];
    const page = dimmed.includes("usage-main");
    let clicked = [];
    if (page) {
      const asked = withFailed(body);
      clicked = asked.changedPropIds;
      options = Object.assign({}, options, { body: JSON.stringify(asked) });
      /* Another page has the same figures, anything else other ones. */
      if (!clicked.some((each) => PAGING.includes(each))) dimmed.push("usage-figures");
    }
    dimmed.forEach((id) => wait(id, +1));
    const turns = window.setInterval(takeTurn, TURN);
    try {
      const response = await fetchAsViewer(resource, options);
      const json = (response.headers.get("content-type") || "").includes("application/json");
      /* A refusal carries what to show; the renderer only shows what comes as a success. */
      if ((response.status === 401 || response.status === 404) && json) {
        return new Response(await response.text(), { status: 200, headers: response.headers });
      }
      if (response.status >= 500) {
        if (page) failed = clicked;
        tell("The server could not answer. Try again in a moment.");
      } else if (page) {
        failed = [];
      }
      return response;
    } catch (failure) {
      if (page) failed = clicked;
      tell("The server cannot be reached. Check your connection and try again.");
      throw failure;
    } finally {
      const [own, following] = dimmed;
      if (own) wait(own, -1);
      window.clearInterval(turns);
      /* Once more, when the answer is on the screen, and what follows from it has been asked for. */
      window.setTimeout(() => {
        takeTurn();
        if (following) wait(following, -1);
      }, TURN);
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

  function executionIn(address) {
    return new URLSearchParams(address.search).get("execution");
  }

  function searchWith(execution) {
    const params = new URLSearchParams(window.location.search);
    params.delete("execution");
    if (execution) params.set("execution", execution);
    const search = params.toString();
    return search && "?" + search;
  }

  /* The panel opens at once, empty, and is filled when the answer is here. */
  function openRow(id) {
    const { set_props } = window.dash_clientside;
    set_props("usage-opened-title", { children: null });
    set_props("usage-opened-body", { children: null });
    set_props("usage-opened", { is_open: true });
    set_props("usage-opened-row", { data: { id, pathname: window.location.pathname } });
  }

  window.addEventListener("popstate", () => {
    const id = executionIn(window.location);
    if (id) openRow(id);
    else window.dash_clientside.set_props("usage-opened", { is_open: false });
  });

  /* A date opens its row without leaving the page; other clicks on it are the browser's own. */
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const link = event.target.closest && event.target.closest(DATE_LINK);
    if (!link) return;
    event.preventDefault();
    const id = executionIn(link);
    window.dash_clientside.set_props("usage-location", { search: searchWith(id) });
    openRow(id);
  });

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.usage = Object.assign(window.dash_clientside.usage || {}, {
    chooseTheme: function () {
      const clicked = window.dash_clientside.callback_context.triggered_id;
      if (clicked) window.usageTheme.choose(clicked.replace("usage-theme-", ""));
      return "Theme: " + THEMES[window.usageTheme.chosen()];
    },
    takeTurn: function () {
      return window.dash_clientside.no_update;
    },
    closeQuestion: function () {
      return true;
    },
    openRow: function () {
      if (executionIn(window.location)) openRow(executionIn(window.location));
      return window.dash_clientside.no_update;
    },
    closeRow: function (isOpen) {
      const { callback_context, set_props, no_update } = window.dash_clientside;
      if (callback_context.triggered_id === "usage-opened-close") {
        set_props("usage-opened", { is_open: false });
      } else if (!isOpen && executionIn(window.location)) {
        set_props("usage-location", { search: searchWith(null) });
      }
      return no_update;
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
  });
})();
