"""Sectors of companies people watch, as the Global Industry Classification Standard names them."""

UNKNOWN = "unknown"
"""A symbol not listed here. Two unknowns share nothing that is known."""

_LISTS = {
    "technology": "AAPL ACN ADBE ADI AMAT AMD ANET AVGO CRM CSCO HPQ IBM INTC INTU LRCX MSFT MU NOW NVDA ORCL PLTR QCOM TXN",
    "communication": "CMCSA DIS EA FB GOOG GOOGL META NFLX T TMUS VZ",
    "consumer discretionary": "ABNB AMZN BKNG F GM HD LOW MCD NKE SBUX TGT TJX TSLA",
    "consumer staples": "CL COST KO MDLZ MO PEP PG PM WMT",
    "health care": "ABBV ABT AMGN BMY CVS GILD ISRG JNJ LLY MDT MRK PFE TMO UNH",
    "financials": "AXP BAC BLK BRK.B BRK-B C GS JPM MA MS PYPL SCHW SPGI USB V WFC",
    "industrials": "BA CAT DE FDX GE HON LMT MMM RTX UNP UPS",
    "energy": "COP CVX EOG OXY SLB XOM",
    "materials": "APD DOW FCX LIN NEM SHW",
    "utilities": "AEP D DUK NEE SO",
    "real estate": "AMT EQIX O PLD SPG",
}

SECTORS = {symbol: sector for sector, symbols in _LISTS.items() for symbol in symbols.split()}
