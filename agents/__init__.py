"""One short module per arrow of the flow; each connects a topic to the pipeline."""
