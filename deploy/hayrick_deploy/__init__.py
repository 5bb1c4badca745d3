"""The fleet over SSH: facts read a host, operations change it. Only the package's place is laid so far; neither exists yet."""
