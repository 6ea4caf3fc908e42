"""The Usage page: each part has its layout and its callbacks in one module."""
