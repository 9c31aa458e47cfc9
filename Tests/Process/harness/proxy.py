"""A proxy between a client and a node, as bad as those that stand in the way of real ones."""

import selectors
import socket
import threading
import time


class Proxy:
    """Passes bytes both ways. `refuses_upgrade`: WebSocket is answered with 403. `swallows_upgrade`: it is never
    answered. `buffers_streams`: the answer to a stream is held back until it ends. `cuts_after`: every connection is
    cut after so many seconds, in the middle of anything."""

    def __init__(self, node, refuses_upgrade=False, swallows_upgrade=False, buffers_streams=False, cuts_after=None):
        self.node = node
        self.refuses_upgrade = refuses_upgrade
        self.swallows_upgrade = swallows_upgrade
        self.buffers_streams = buffers_streams
        self.cuts_after = cuts_after
        self.refused = self.cut = self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            with client, socket.create_connection(("127.0.0.1", self.node.port), timeout=5) as server:
                self._pass(client, server)
        except OSError:
            pass

    def _pass(self, client, server):
        began = time.monotonic()
        watched = selectors.DefaultSelector()
        watched.register(client, selectors.EVENT_READ, server)
        watched.register(server, selectors.EVENT_READ, client)
        held = False
        while True:
            left = None if self.cuts_after is None else began + self.cuts_after - time.monotonic()
            if left is not None and left <= 0:
                self.cut += 1
                return
            for key, _ in watched.select(left):
                data = key.fileobj.recv(65536)
                if not data:
                    return
                if key.fileobj is client:
                    head = data.lower()
                    if b"upgrade: websocket" in head:
                        if self.refuses_upgrade:
                            self.refused += 1
                            client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                            return
                        held = held or self.swallows_upgrade
                    held = held or (self.buffers_streams and b"text/event-stream" in head)
                elif held:
                    self.refused += 1
                    continue
                key.data.sendall(data)
