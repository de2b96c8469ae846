"""Leaf arithmetic shared by the event loop and the compiled loop."""
