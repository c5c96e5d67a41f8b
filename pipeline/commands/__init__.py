"""Parts of the command line, a module for each group of commands; ``cli`` puts them together."""
