"""Every indicator a chart, a script or research may ask for by name, by family. Decisions use `indicators.py` alone."""
