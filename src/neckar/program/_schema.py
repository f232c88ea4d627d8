"""Version of the data model."""

SCHEMA_VERSION = 6
"""Version of the contract between Program, Recording and their file; docs/explanation/data-model.md describes it."""
