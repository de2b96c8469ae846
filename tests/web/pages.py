"""The pages a person can go to."""

PAGES = (
    "/", "/symbols", "/symbols/MSFT", "/symbols/EURUSD=X", "/symbols/MSFT?interval=1h", "/decisions",
    "/decisions?status=ordered&symbol=IBM", "/positions", "/trades", "/signals", "/trades?symbol=MSFT&result=won", "/system",
    "/system?verify=1", "/audit", "/help", "/more", "/search?q=<script>alert", "/halt", "/resume", "/reconcile",
)  # fmt: skip
