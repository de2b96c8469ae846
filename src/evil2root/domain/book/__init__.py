"""Orders, fills, positions and the ledger: what we asked for, what happened, what we hold."""
