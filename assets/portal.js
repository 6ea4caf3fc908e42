/* Inside a portal the page asks its parent for a signed token, before its first question to the server
   and whenever the last one runs out. It is kept here and nowhere else. */
(function () {
  "use strict";

  /* Returns a fetch with that token; null where the page is in no portal's frame. */
  window.usagePortal = function (fetchFromServer, tell) {
    const PATIENCE = 10000;
    const SPARE = 60;
    const meta = document.querySelector('meta[name="usage-embed-origins"]');
    const asked = new URLSearchParams(window.location.search).get("embed") === "1";
    if (!meta || !asked || window.parent === window) return null;

    const origins = meta.content.split(",");
    /* Where a browser tells who the parent is, no other origin is written to. */
    const ancestors = window.location.ancestorOrigins;
    const known = origins.filter((origin) => ancestors && ancestors[0] === origin);
    let token = null;
    let pending = null;
    let answer = null;

    window.addEventListener("message", (event) => {
      if (event.source !== window.parent || !origins.includes(event.origin)) return;
      if (!event.data || event.data.type !== "usage-token") return;
      if (typeof event.data.token !== "string" || !event.data.token) return;
      token = event.data.token;
      if (answer) answer(token);
    });

    function secondsLeft() {
      try {
        const claims = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
        return JSON.parse(window.atob(claims)).exp - Date.now() / 1000;
      } catch (unreadable) {
        return 0;
      }
    }

    /* One question at a time, however many requests wait for its answer; null where none came. */
    function ask() {
      if (pending) return pending;
      pending = new Promise((resolve) => {
        answer = resolve;
        window.setTimeout(resolve, PATIENCE, null);
        for (const origin of known.length ? known : origins) {
          window.parent.postMessage({ type: "usage-token-request" }, origin);
        }
      }).finally(() => {
        pending = answer = null;
      });
      return pending;
    }

    function send(resource, options, bearer) {
      const headers = new Headers(options && options.headers);
      headers.set("Authorization", "Bearer " + bearer);
      return fetchFromServer(resource, Object.assign({}, options, { headers }));
    }

    return async function (resource, options) {
      const used = token && secondsLeft() > SPARE ? token : await ask();
      if (!used) {
        tell("The portal around this page has not said who you are. Try again, or reload it.", false);
        window.dash_clientside.set_props("usage-main", { "data-state": "nothing" });
        /* To the renderer: nothing changes. */
        return new Response(null, { status: 204 });
      }
      const response = await send(resource, options, used);
      if (response.status !== 401) return response;
      /* Another request may have had the same refusal, and an answer, meanwhile. */
      const renewed = token === used ? await ask() : token;
      return renewed ? send(resource, options, renewed) : response;
    };
  };
})();
