"""Chart patterns by geometry over confirmed pivots, and TA-Lib's candlesticks."""
