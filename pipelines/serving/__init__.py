"""The stages behind HTTP, under Ray Serve: one document now, where `pipelines.batch` reads millions overnight.

Begin with `application.py`, which wires the deployments: `gateway.py` speaks HTTP, `reader.py` reads pages,
`predictor.py` runs the models; `web/` is the web page.
"""
