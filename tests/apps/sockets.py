"""Serves from the sockets that it was given (LISTEN_FDS). Finishes what it has accepted when it is asked to stop."""
import json
import os
import select
import signal
import socket
import time


def notify(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
        own.connect(os.environ["NOTIFY_SOCKET"])
        own.sendall(text.encode())


sockets = [socket.socket(fileno=3 + i) for i in range(int(os.environ["LISTEN_FDS"]))]
leaving = []
signal.signal(signal.SIGTERM, lambda *_: leaving.append(True))
body = json.dumps({"pid": os.getpid(), "addresses": [str(s.getsockname()) for s in sockets]}).encode()
head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
while os.environ.get("WAIT_GO") and not os.path.exists(os.environ["GO"]) and not leaving:
    time.sleep(0.02)
notify("READY=1")
while not leaving:
    for ready in select.select(sockets, [], [], 0.05)[0]:
        try:
            connection, _ = ready.accept()
        except BlockingIOError:
            continue
        connection.settimeout(10)
        try:
            connection.recv(65536)
            connection.sendall(head + body)
        except OSError:
            pass
        connection.close()
