"""The chapters of a call, one module each: `enter(call, now)` and `on(call, event, now)`, both returning actions."""
