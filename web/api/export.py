"""A window as a file: streamed, or whole with its manifest."""

import io
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from flask import Response, request
from openapi_pydantic import MediaType, Schema
from openapi_pydantic import Response as DescribedResponse

from data.files.csv import write_csv
from data.files.export import ROW_LIMIT, file_name
from data.files.manifest import ProvenFile
from data.question.file_options import FileOptions
from data.question.query import UsageQuery
from web.api.endpoint import Call
from web.api.responses import header

_CHUNK_CHARACTERS: Final = 64 * 1024

FILE: Final = DescribedResponse(
    description="The file; with `manifest=1`, the archive that holds it.",
    content={
        "text/csv": MediaType(media_type_schema=Schema(type="string")),
        "application/zip": MediaType(media_type_schema=Schema(type="string")),
    },
    headers={
        "Content-Disposition": header(
            "`attachment` with `usage-<workspaceId>-<YYYY-MM-DD>.csv`, or `.zip`."
        ),
        "X-Export-Truncated": header(
            "1 where the window holds more rows than the file.", enum=["0", "1"]
        ),
        "X-Export-Row-Limit": header("The most rows that a file holds."),
    },
)


def answer(call: Call) -> Response:
    """Return the file that the request asks for, alone or in an archive with its manifest."""
    query = call.query()
    options = FileOptions.parse(call.given())
    return (_zipped if options.manifest else _streamed)(call, query, options)


def _streamed(call: Call, query: UsageQuery, options: FileOptions) -> Response:
    """Stream the file; what goes wrong before its first rows is still told as an error."""
    now = datetime.now(UTC)
    with ExitStack() as stack:
        exported = stack.enter_context(call.ledger.export(call.viewer, query, options))
        chunks = _chunks(write_csv(exported.rows, options))
        # Only its length tells a client of HTTP/1.0 a short file from a whole one.
        if request.environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
            response = Response(b"".join(chunks), mimetype="text/csv")
        else:
            begun = next(chunks)
            reading = stack.pop_all()
            response = Response(_read_to_the_end(reading, begun, chunks), mimetype="text/csv")
            # Also where the client leaves before the first byte is asked for.
            response.call_on_close(reading.close)
    return _as_file(response, file_name(query.workspace_id, now, call.ledger.zone), exported.total)


def _read_to_the_end(reading: ExitStack, begun: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield all chunks; what goes wrong on the way passes through the snapshot, which names it."""
    with reading:
        yield begun
        yield from chunks


def _zipped(call: Call, query: UsageQuery, options: FileOptions) -> Response:
    with call.ledger.export(call.viewer, query, options) as exported:
        proven = ProvenFile.of(exported, query, options, datetime.now(UTC), call.ledger.zone)
    response = Response(proven.zipped(), mimetype="application/zip")
    return _as_file(response, f"{proven.name}.zip", exported.total)


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
