"""Files in folders and S3 buckets, and Parquet tables in them.

Begin with `files.py`: `Storage` handles both kinds of URI, through `local.py` and `s3.py`.
"""
