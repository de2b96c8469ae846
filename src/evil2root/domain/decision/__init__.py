"""From opinion to intent, and the challenge to it."""
