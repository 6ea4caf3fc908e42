"""The answers: each is one question put to one snapshot."""
