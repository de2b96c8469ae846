"""Bars and what is computed from them."""
