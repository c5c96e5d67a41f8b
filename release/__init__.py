"""What a release is made of: distributions, their bill of materials, and their checksums."""
