"""What the event functions do with each message: events in, tables and Helm changed, events out.

A handler joins the rooms that do not know each other; `functions/*/app.py` only connects it to Lambda.
"""

import gc

# A cold start makes a hundred thousand objects, and they stay: to look through them for garbage meanwhile is a tenth of
# it. From then on as well garbage in circles, of which there is little, may wait until so much is new.
gc.set_threshold(150_000)
