"""The reference: what any one record comes to, by the contract's letter."""
