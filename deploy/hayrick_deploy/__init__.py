"""The fleet over SSH: facts read a host, operations change it. So far only the package's place; it does nothing yet."""
