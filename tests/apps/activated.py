"""Serves HTTP from the sockets that it was given (LISTEN_FDS), and tells what it was told about them."""
import json
import os
import select
import socket

count = int(os.environ["LISTEN_FDS"])
assert int(os.environ["LISTEN_PID"]) == os.getpid(), "LISTEN_PID is not this process"
sockets = [socket.socket(fileno=3 + i) for i in range(count)]
about = {
    "pid": os.getpid(),
    "names": os.environ.get("LISTEN_FDNAMES"),
    "addresses": [str(s.getsockname()) for s in sockets],
}
print("serving", count, "sockets", flush=True)
while True:
    for ready in select.select(sockets, [], [])[0]:
        try:
            connection, _ = ready.accept()
        except BlockingIOError:
            continue
        connection.settimeout(10)
        try:
            connection.recv(65536)
            body = json.dumps(about).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            connection.sendall(head.encode() + body)
        except OSError:
            pass
        connection.close()
