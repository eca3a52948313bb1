"""The runtime: composition root, legs, calls, phases, routing, registrar, trunks, media client, supervisor, CLI.

Main types: `switch.calls.Calls` (pure) and `switch.app.App` (the shell). Rule: a call is plain data and a phase.
"""
