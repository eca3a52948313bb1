"""The ACD: which call goes to which agent (`engine.AcdEngine`), and how many agents a load takes (`staffing`).

Pure: no I/O, no clock, no random source; imports at most `model`.
"""
