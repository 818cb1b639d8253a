"""Launchers: how controllers and engines are started, one system a file.

`base` says what every launcher is, `roles` what a controller and what engines need, `find` gives
them their short names.
"""
