"""The store's tables and views: files, migrations, and what the migrator fills in."""
