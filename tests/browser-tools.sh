#!/bin/sh
# The browser tests need Chromium and its driver: install them where that can be done, else say how.
set -eu
have() { command -v "$1" >/dev/null 2>&1; }
if { have chromium || have google-chrome || [ -d "/Applications/Google Chrome.app" ]; } && have chromedriver; then
    exit 0
fi
if have apt-get && [ "$(id -u)" = 0 ]; then
    echo "Installing Chromium and its driver ..."
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y chromium chromium-driver fonts-liberation >/dev/null
    exit 0
fi
echo "The browser tests need Chromium and chromedriver on the PATH." >&2
echo "Debian: sudo apt-get install chromium chromium-driver. macOS: brew install --cask chromium chromedriver." >&2
exit 1
