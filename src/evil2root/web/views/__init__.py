"""What templates are given: small frozen objects of ready strings, built from what the desk answers."""
