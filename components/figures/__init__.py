"""The figures of a window as they are seen: summary, limit, picture."""
