"""Fields of documents: types of values, fields of a document, and records by a specification of fields.

Nothing of Ray.
"""
