"""The one buffer that the packets of all transports are received into, and from which they are passed on."""

import numpy as np

from rtp.header import MAX_PACKET, header_view


class Arena:
    """`size` rows of MAX_PACKET bytes, one packet a row."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.bytes = np.zeros((size, MAX_PACKET), np.uint8)
        self.headers = header_view(self.bytes)
        view = self.bytes.reshape(-1).data
        self.rows = [view[i * MAX_PACKET : (i + 1) * MAX_PACKET] for i in range(size)]
