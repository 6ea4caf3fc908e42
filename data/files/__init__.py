"""A window as a file: what of it is read, its columns, its marks, its manifest."""
