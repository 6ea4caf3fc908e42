"""Over HTTP: the API, sign-in, pages, the server."""
