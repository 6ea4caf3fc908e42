"""What is true: no screen, no web."""
