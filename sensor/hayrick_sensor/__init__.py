"""The sniffing host's agent: keeps tcpdump running, journals its closed chunks, ships them."""
