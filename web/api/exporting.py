"""A window as a file: streamed, or whole with its manifest."""

import io
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from flask import Response, request

from data.answers.ledger import Ledger
from data.files.csv import write_csv
from data.files.export import ROW_LIMIT, file_name
from data.files.manifest import ProvenFile
from data.platform.access import Viewer
from data.question.file_options import FileOptions
from data.question.query import UsageQuery
from web.api.asking import params_given, query_of
from web.api.file_models import ExportManifest
from web.api.params import ExportParams, ManifestParams

_CHUNK_CHARACTERS: Final = 64 * 1024


def export(ledger: Ledger, viewer: Viewer) -> Response:
    """Return the file that the request asks for, alone or in an archive with its manifest."""
    query = query_of(ledger, viewer, ExportParams)
    options = FileOptions.parse(params_given())
    return (_zipped if options.manifest else _streamed)(ledger, viewer, query, options)


def manifest(ledger: Ledger, viewer: Viewer) -> ExportManifest:
    """Return the manifest of the file that the same question gives now."""
    query = query_of(ledger, viewer, ManifestParams)
    options = replace(FileOptions.parse(params_given()), manifest=True)
    with ledger.export(viewer, query, options) as answer:
        proven = ProvenFile.of(answer, query, options, datetime.now(UTC), ledger.zone)
    return ExportManifest.model_validate(proven.manifest)


def _streamed(ledger: Ledger, viewer: Viewer, query: UsageQuery, options: FileOptions) -> Response:
    """Stream the file; what goes wrong before its first rows is still told as an error."""
    now = datetime.now(UTC)
    with ExitStack() as stack:
        answer = stack.enter_context(ledger.export(viewer, query, options))
        chunks = _chunks(write_csv(answer.rows, options))
        # Only its length tells a client of HTTP/1.0 a short file from a whole one.
        if request.environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
            response = Response(b"".join(chunks), mimetype="text/csv")
        else:
            begun = next(chunks)
            reading = stack.pop_all()
            response = Response(_read_to_the_end(reading, begun, chunks), mimetype="text/csv")
            # Also where the client leaves before the first byte is asked for.
            response.call_on_close(reading.close)
    return _as_file(response, file_name(query.workspace_id, now, ledger.zone), answer.total)


def _read_to_the_end(reading: ExitStack, begun: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield all chunks; what goes wrong on the way passes through the snapshot, which names it."""
    with reading:
        yield begun
        yield from chunks


def _zipped(ledger: Ledger, viewer: Viewer, query: UsageQuery, options: FileOptions) -> Response:
    with ledger.export(viewer, query, options) as answer:
        proven = ProvenFile.of(answer, query, options, datetime.now(UTC), ledger.zone)
    response = Response(proven.zipped(), mimetype="application/zip")
    return _as_file(response, f"{proven.name}.zip", answer.total)


def _as_file(response: Response, name: str, total: int) -> Response:
    response.headers["Content-Disposition"] = _attachment(name)
    response.headers["X-Export-Truncated"] = "1" if total > ROW_LIMIT else "0"
    response.headers["X-Export-Row-Limit"] = str(ROW_LIMIT)
    return response


def _attachment(name: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    # The second form is for ids beyond ASCII only: RFC 6266.
    beyond = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f'attachment; filename="{plain}"{beyond}'


def _chunks(lines: Iterable[str]) -> Iterator[bytes]:
    """Gather lines, so that not every one of them is sent by itself."""
    gathered = io.StringIO()
    for line in lines:
        gathered.write(line)
        if gathered.tell() >= _CHUNK_CHARACTERS:
            yield gathered.getvalue().encode()
            gathered = io.StringIO()
    yield gathered.getvalue().encode()
