"""The composition root: settings in, adapters chosen, commands out. The only room that knows adapters and settings.

`database` opens the database, `trading` wires an account, `serving` runs the app, `offline` what needs no running app,
`people` who may come in, `asking` what a command asks of a running app.
"""
