"""What the field measures: entities, fields, answers, classes; `scores` chooses by corpus and task."""
