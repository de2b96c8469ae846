"""Features from what is around a symbol's bars: its calendar, its events, other series, the universe.

Every family is causal: a row needs nothing that was not known when its bar closed, in no series it looks at.
"""
