"""All that knows the host's tables: connection, revision, access, terms, executions."""
