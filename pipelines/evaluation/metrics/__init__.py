"""The metrics: entities, fields, answers, classes. `scores` chooses one by data set and task."""
