"""`ringback demo`: a switch on free loopback ports, our own phones in another process, a live table, a summary.

`run.demo` is the entry. Phones: `agent.Agent` is the signalling of one, `phone.Phone` puts it on sockets, `phones` is a
process full of them (JSON lines in and out). Rule: phones share no RTP code with the switch they judge.
"""
