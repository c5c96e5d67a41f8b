"""What is generated from the types: JSON Schemas, the AsyncAPI document, and their releases."""
