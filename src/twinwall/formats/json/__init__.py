"""JSON with positions, for every vendor whose command line prints JSON.

- `value`: a JSON value that knows its place in its file, also inside strings.
- `reader`: the strict reader (RFC 8259); what it refuses is a diagnostic.
"""
