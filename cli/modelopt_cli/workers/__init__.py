"""Worker processes: each does items of a batch in one thread, and dies with its parent.

Orders go in and answers come out as JSON lines, through pipes; nothing else is shared.
"""
