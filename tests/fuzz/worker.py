"""Runs commands of realtime-bg one after the other in this process: reads each as a line of JSON,
and answers with its exit code and the process's peak memory in kB."""

import json
import os
import resource
import sys

from realtime_bg.cli.main import main

answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # what the commands print
for line in sys.stdin:
    sys.argv = ["realtime-bg", *json.loads(line)]
    try:
        main()
    except SystemExit as end:
        code = end.code
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answers.write(json.dumps([code, peak]) + "\n")
