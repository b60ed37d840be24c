"""Speed and memory, measured beside the peers in the same run.

`generate` writes the capture (`conversations` decides who says what when, `frames` turns that into bytes), `policies` writes
the policies, `run` measures and writes docs/performance.md.  Nothing here is imported by twinwall or decides a test.
"""
