"""Makes the fixtures with real parts known to all tests; they cost nothing until asked for."""

pytest_plugins = ["tests.support.harness.fixtures"]
