"""Hunts: a search inside the packets of the sessions that an expression finds, as a job that survives restarts."""
