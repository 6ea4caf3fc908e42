"""Every element id, one constant each. Those that begin the file are scripted by portals."""

from typing import Final

from data.periods import Preset

PRESETS: Final = {preset: f"usage-preset-{preset.value}" for preset in Preset}
RANGE: Final = "usage-range"
PREV: Final = "usage-prev"
NEXT: Final = "usage-next"
TABLE: Final = "usage-table"
EXPORT: Final = "usage-export"
DOWNLOAD: Final = "usage-download"
CAPTION: Final = "usage-caption"
NOTICE: Final = "usage-notice"
WORKSPACE: Final = "usage-workspace"
API_LINK: Final = "usage-api-link"

# The product's own.
LOCATION: Final = "usage-location"
VIEW: Final = "usage-view"
MAIN: Final = "usage-main"
BODY: Final = "usage-body"
EMPTY: Final = "usage-empty"
LATEST: Final = "usage-latest"
AS_OF: Final = "usage-as-of"
TROUBLE: Final = "usage-trouble"
TROUBLE_TEXT: Final = "usage-trouble-text"
RETRY: Final = "usage-retry"
QUESTION: Final = "usage-question"
QUESTION_TEXT: Final = "usage-question-text"
CONFIRM: Final = "usage-confirm"
CANCEL: Final = "usage-cancel"
LIMIT_NOTE: Final = "usage-limit-note"
THEME: Final = "usage-theme"
SPENDING: Final = "usage-spending"
