#!/bin/sh
# What the tests need beside Python: install it where that can be done, else say how.
set -eu
have() { command -v "$1" >/dev/null 2>&1; }
chrome() { have chromium || have google-chrome || [ -d "/Applications/Google Chrome.app" ]; }
if chrome && have chromedriver && have curl && { have nginx || [ "$(id -u)" != 0 ]; }; then
    exit 0
fi
if have apt-get && [ "$(id -u)" = 0 ]; then
    echo "Installing Chromium, its driver, curl and nginx ..."
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        chromium chromium-driver fonts-liberation curl nginx-light >/dev/null
    exit 0
fi
echo "The tests need Chromium, chromedriver and curl on the PATH (and nginx for one of them)." >&2
echo "Debian: sudo apt-get install chromium chromium-driver curl nginx-light" >&2
echo "macOS: brew install --cask chromium chromedriver; brew install curl nginx" >&2
exit 1
