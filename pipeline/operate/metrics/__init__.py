"""Files of user-defined metrics: read, compared with what is in force, shown.

yaml_nodes  a document as values whose meaning nobody can mistake, each with its line
files       a file as definitions
"""
