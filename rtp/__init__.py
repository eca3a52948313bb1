"""RTP and RTCP as vectorised operations on batches of packets in numpy arrays (RFC 3550, 3551, 4733).

Rule: a packet never becomes a Python object.
"""
