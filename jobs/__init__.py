"""One thin entry point a job: its options, its exit status, and what it prints."""
