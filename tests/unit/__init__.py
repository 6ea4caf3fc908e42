"""The rules alone: no database, no browser."""
