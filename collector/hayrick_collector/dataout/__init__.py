"""Sessions out of a store, any number of them in bounded memory: as JSON lines, CSV or Parquet."""
