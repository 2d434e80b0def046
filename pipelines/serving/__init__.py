"""The stages behind HTTP under Ray Serve: one document now, where `pipelines.batch` does millions overnight.

Begin with `application.py`, which puts the deployments together: `gateway.py` speaks HTTP, `reader.py` reads pages,
`predictor.py` holds the models; `web/` is the page for people.
"""
