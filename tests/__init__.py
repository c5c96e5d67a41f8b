"""Tests: unit, property, contract, integration, fault, model; the harness they share."""
