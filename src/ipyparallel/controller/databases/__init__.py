"""Databases of task records: what becomes of every task that passes the hub.

`base` says what every database does, `record` what a record is, `matching` what a query means,
`culling` how long records stay. Then one database a file: `dictdb` (in memory, the default),
`sqlitedb` and `mongodb` (which write behind the hub's back, with `writer`), `nodb` (none).
`find` gives them their short names.
"""
