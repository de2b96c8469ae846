"""EVIL2ROOT: a self-hosted trading bot that can explain every step it took."""

__version__ = "0.1.0"
