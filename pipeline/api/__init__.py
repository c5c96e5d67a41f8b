"""The HTTP API: every view, served to whom it belongs. `usage api` is a process of its own.

One handler serves all views; what there is to ask, and the OpenAPI document, follow from the
catalogue. Stateless: any number of these processes may stand beside each other.
"""
