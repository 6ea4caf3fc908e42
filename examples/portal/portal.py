"""A portal that embeds the Usage page: two routes and one page, to be read and copied.

    .venv/bin/python examples/portal/portal.py

It needs USAGE_EMBED_SECRET, the same as the Usage Ledger's, where USAGE_EMBED_ORIGINS names this
portal (http://localhost:8060). USAGE_ORIGIN, PORTAL_PORT, PORTAL_USER and PORTAL_WORKSPACE may be
set too.
"""

import os
import sys
import time
from typing import Final
from urllib.parse import quote

import jwt
from flask import Flask, Response, jsonify, render_template

USAGE: Final = os.environ.get("USAGE_ORIGIN", "http://127.0.0.1:8050")
PORT: Final = int(os.environ.get("PORTAL_PORT", "8060"))
USER: Final = os.environ.get("PORTAL_USER", "user_demo")
WORKSPACE: Final = os.environ.get("PORTAL_WORKSPACE", "ws_support")
SECONDS: Final = 300  # at most 600

portal = Flask(__name__, template_folder=".")


@portal.get("/")
def page() -> str:
    """Return the portal's page, with the Usage page in a frame."""
    path = f"/workspace/{quote(WORKSPACE, safe='')}/usage"
    return render_template("portal.html", usage=USAGE, path=path)


@portal.post("/usage-token")
def token() -> Response:
    """Sign a short-lived token for whoever is signed in to the portal.

    A real portal takes the user from its own session and checks that the workspace is theirs.
    """
    now = int(time.time())
    claims = {
        "aud": "usage-ledger",
        "sub": USER,
        "workspace": WORKSPACE,
        "iat": now,
        "exp": now + SECONDS,
    }
    signed = jwt.encode(claims, os.environ["USAGE_EMBED_SECRET"], algorithm="HS256")
    response = jsonify(token=signed)
    response.headers["Cache-Control"] = "no-store"
    return response


if __name__ == "__main__":
    if "USAGE_EMBED_SECRET" not in os.environ:
        sys.exit("Set USAGE_EMBED_SECRET to the secret that the Usage Ledger was started with.")
    print(f"The portal is on http://localhost:{PORT}", flush=True)
    portal.run("localhost", PORT)
