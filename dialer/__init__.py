"""The dialler: whom campaigns call next, how many at a time, and why not. Pure: inputs, `now` and wall time in, actions
out; no socket, clock, task or random source, and its state is plain data.

`engine.DialerEngine` runs campaigns (inputs.py, actions.py), `rules` says whether a record may be called now,
`modes.plan` how many calls to start (`horizon` for predictive campaigns), by what `pacing_model` has learnt and
`ledger` allows; `simulation` runs days of a campaign through the same, drawn at random from a seed.
"""
