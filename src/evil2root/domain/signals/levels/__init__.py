"""Support and resistance: where the price has turned, traded, or closed a period."""
