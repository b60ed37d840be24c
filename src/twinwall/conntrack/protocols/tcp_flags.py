"""What the tracker remembers about one side of a TCP connection, one bit each."""

from __future__ import annotations

FLAG_WINDOW_SCALE = 1  # offered window scaling
FLAG_SACK_PERM = 2  # offered selective acknowledgement
FLAG_CLOSE_INIT = 4  # its FIN began the close
FLAG_LIBERAL = 8  # its start was not seen: window failures do not count against it
FLAG_UNACKNOWLEDGED = 16  # it sent data that the other side has not acknowledged
FLAG_MAXACK_SET = 32  # `maxack` is known

# In the word about the last remembered segment only.
FLAG_CHALLENGE_ACK = 64  # a SYN passed in LAST_ACK: the next ACK may be a challenge (RFC 5961), not the ACK of a FIN
FLAG_SIMULTANEOUS = 128  # both sides sent a SYN first
