"""The collector: lands chunks, archives them, indexes their sessions, answers searches."""
