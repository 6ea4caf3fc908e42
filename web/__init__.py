"""Between the application and a browser: the server, its queue, pages, headers, what is refused."""
