"""The demo: real data, the packaged pipelines, and a summary of what happened.

It uses the engine as any program would; nothing here is needed by a deployment.
"""
