"""History of closed days in Parquet files. Pure of the hot stores: they meet through broker/ports/archive.py."""
