/* The picture: Plotly's small bundle, loaded when there is something to draw, in the theme's colours;
   and the addresses that a click on it, or on what it is split by, leads to. */
(function () {
  "use strict";

  const SPLIT = "split";
  /* What says how a page is shown, and not what is asked for. */
  const ASIDE = ["embed", "theme", SPLIT, "execution"];

  const meta = document.querySelector('meta[name="usage-plotly"]');
  Object.defineProperty(window, "_dashPlotlyJSURL", {
    get: () => meta.content,
    set: () => {},
  });

  function question(search) {
    const params = new URLSearchParams(search || "");
    for (const name of ASIDE) params.delete(name);
    return params.toString();
  }

  function goTo(search) {
    window.dash_clientside.set_props("usage-location", { search });
  }

  function splitBy(split, search) {
    const params = new URLSearchParams(search || "");
    if (split === "type") params.delete(SPLIT);
    else params.set(SPLIT, split);
    const changed = params.toString();
    goTo(changed && "?" + changed);
  }

  /* The split that was chosen while an answer was on its way, whose address does not know of it. */
  let chosenMeanwhile = null;
  window.addEventListener("popstate", () => {
    chosenMeanwhile = null;
  });

  /* Strings such as "--bs-body-color" are names of the sheet's variables. */
  function coloured(value, sheet) {
    if (typeof value === "string") {
      return value.startsWith("--") ? sheet.getPropertyValue(value).trim() : value;
    }
    if (Array.isArray(value)) return value.map((each) => coloured(each, sheet));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, each]) => [name, coloured(each, sheet)])
    );
  }

  /* Where there is little room every other name stands below the axis. */
  const NARROW = 560;
  function thin(axis) {
    for (const ticks of ["tickvals", "ticktext"]) {
      axis[ticks] = axis[ticks].filter((tick, place) => place % 2 === 0);
    }
  }

  /* Paper is narrower than most windows, and a picture does not shrink by itself. */
  const PAPER = 680;
  function resize(size) {
    const drawn = document.querySelector("#usage-graph .js-plotly-plot");
    if (drawn && drawn.offsetWidth > PAPER) window.Plotly.relayout(drawn, size);
  }
  window.addEventListener("beforeprint", () => resize({ autosize: false, width: PAPER }));
  window.addEventListener("afterprint", () => resize({ autosize: true, width: null }));

  /* A Dropdown takes the keyboard by way of an input that it hides from those who do not see it. Here
     its button takes it, and has a name; what it opens has one too. */
  new MutationObserver(() => {
    for (const hidden of document.querySelectorAll('.dash-dropdown-focus-target[tabindex="0"]')) {
      hidden.tabIndex = -1;
      hidden.parentElement.querySelector("button").tabIndex = 0;
    }
    const chip = document.querySelector(".usage-filter:has([aria-expanded=true])");
    if (!chip) return;
    for (const part of document.querySelectorAll(".dash-dropdown-content, .dash-dropdown-options")) {
      if (!part.ariaLabel) part.ariaLabel = chip.ariaLabel;
    }
  }).observe(document, { childList: true, subtree: true });

  /* With the system's theme, the picture follows it too. */
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    const toggle = document.querySelector("#usage-theme button");
    if (toggle) window.dash_clientside.set_props("usage-theme", { label: toggle.textContent });
  });

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.usage = Object.assign(window.dash_clientside.usage || {}, {
    /* The server is asked again only where the address puts another question than was answered. */
    readAddress: function (search, pathname, answered, split) {
      const { no_update } = window.dash_clientside;
      const chosen = new URLSearchParams(search || "").get(SPLIT) || "type";
      const same = typeof answered === "string" && question(search) === question(answered);
      return [same ? no_update : question(search), chosen === split ? no_update : chosen];
    },
    keepSplit: function (answered, search) {
      if (chosenMeanwhile) splitBy(chosenMeanwhile, search);
      chosenMeanwhile = null;
      return window.dash_clientside.no_update;
    },
    clearFilters: function () {
      return window.dash_clientside.callback_context.outputs_list.map(() => null);
    },
    drawPicture: function (picture) {
      if (!picture) return null;
      const sheet = window.getComputedStyle(document.documentElement);
      const font = window.getComputedStyle(document.body).fontFamily;
      const figure = coloured(picture, sheet);
      figure.layout.font.family = font;
      figure.layout.hoverlabel.font.family = font;
      const room = document.getElementById("usage-chart").offsetWidth;
      if (room < NARROW) thin(figure.layout.xaxis);
      const config = { displayModeBar: false, responsive: true };
      const style = { height: figure.layout.height + "px" };
      return {
        namespace: "dash_core_components",
        type: "Graph",
        props: { id: "usage-graph", figure, config, style },
      };
    },
    narrowTo: function (click) {
      const { no_update } = window.dash_clientside;
      const bar = click && click.points.find((point) => point.customdata);
      if (!bar) return no_update;
      goTo(bar.customdata);
      return no_update;
    },
    chooseSplit: function () {
      const { callback_context, no_update } = window.dash_clientside;
      const chosen = callback_context.triggered_id.replace("usage-split-", "");
      const busy = document.getElementById("usage-main").ariaBusy === "true";
      chosenMeanwhile = busy ? chosen : null;
      splitBy(chosen, window.location.search);
      return no_update;
    },
  });
})();
