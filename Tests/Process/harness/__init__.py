"""What the tests of a real node share: running it, asking it, following it, breaking it."""
