"""Everything that people see: sentences, tables, progress, pictures, the page and the exported YAML.

Nothing is imported here: ``explain`` and ``status`` load rich but no matplotlib, ``export`` neither.
"""
