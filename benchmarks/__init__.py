"""One file a question, each answered by a table against a named peer."""
