"""The built-in strategies: each reads evidence and says what it wants."""
