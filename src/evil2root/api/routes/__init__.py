"""One file a resource; each makes its own router."""
