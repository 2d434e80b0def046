"""Files in folders and S3 buckets, and Parquet tables in them.

Begin with `files.py`: one `Storage` reads, writes, lists and deletes under both kinds of URI.
"""
