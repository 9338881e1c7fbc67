"""What the event functions do with each message: events in, tables and Helm changed, events out.

A handler joins the rooms that do not know each other; `functions/*/app.py` only connects it to Lambda.
"""
