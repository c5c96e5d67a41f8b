"""Reports: chosen views as one file, streamed however large, or made by a job and kept."""
