"""What was said in one session: its packets, its conversation, the files in it, and Wireshark's view of a packet.

Everything here is bounded: a session may be of any size, and what it holds is hostile.
"""
