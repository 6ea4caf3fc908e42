"""Between the application and a browser: the server, its line, pages, headers, what is refused."""
