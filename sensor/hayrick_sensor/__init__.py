"""The agent on a sniffing host: captures with tcpdump, keeps closed chunks, ships them, prunes what was received."""
