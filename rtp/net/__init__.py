"""Batched socket I/O for RTP: datagrams straight into numpy arrays and out of them."""
