"""The event types: what producers send, and nothing else. Imports neither pipeline nor agents."""
