"""The collector's commands, a file each; the modules import nothing heavy before a command runs."""
