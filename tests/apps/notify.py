"""Speaks sd_notify: does what the words of PLAN say, one after the other.

ready, stopping, status:TEXT, watchdog (feed it from now on), starve (feed it once), mainpid (a child goes on, the
parent leaves), go (wait for the file GO), exit:CODE
"""
import json
import os
import socket
import sys
import time


def notify(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.connect(os.environ["NOTIFY_SOCKET"])
        s.sendall(text.encode())


feed = False
for step in os.environ["PLAN"].split(","):
    word, _, rest = step.partition(":")
    if word == "ready":
        notify("READY=1")
    elif word == "stopping":
        notify("STOPPING=1")
    elif word == "status":
        notify("STATUS=" + rest)
    elif word == "watchdog":
        feed = True
    elif word == "starve":
        notify("WATCHDOG=1")
    elif word == "mainpid":
        parent = os.getpid()
        if os.fork() > 0:
            # Long enough for the child's word to have come; it is the child that speaks.
            time.sleep(0.5)
            os._exit(0)
        os.setpgid(0, 0) if rest == "own-group" else None
        notify(f"MAINPID={os.getpid()}\nREADY=1")
        while os.getppid() == parent:
            time.sleep(0.02)
        with open(os.environ["REPORT"], "a") as report:
            report.write(json.dumps({"main": os.getpid()}) + "\n")
    elif word == "go":
        while not os.path.exists(os.environ["GO"]):
            time.sleep(0.02)
    elif word == "exit":
        sys.exit(int(rest))
print("watchdog", os.environ.get("WATCHDOG_USEC"), flush=True)
while True:
    if feed:
        notify("WATCHDOG=1")
    time.sleep(0.1)
