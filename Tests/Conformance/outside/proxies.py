"""The proxies of docs/proxies, each started with the very file that is shown there; only addresses and paths are others."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from harness.node import ROOT, Node, free_port, until

FILES = ROOT / "docs" / "proxies"


class Proxy:
    """Ports of its own on loopback, two nodes behind it. It looks like a node to whoever asks it."""

    host = "127.0.0.1"
    request, get, json, publish = Node.request, Node.get, Node.json, Node.publish
    file = ""
    speaks_mqtt = True  # over plain TCP

    def __init__(self, nodes):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidings-proxy-"))
        self.port, self.tls, self.mqtt, self.mqtts = (free_port() for _ in range(4))
        self.certificate = self.folder / "tidings.crt"
        self.key = self.folder / "tidings.key"
        pem = self.folder / "tidings.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", self.key, "-out", self.certificate], check=True, capture_output=True)
        pem.write_bytes(self.certificate.read_bytes() + self.key.read_bytes())
        text = (FILES / self.file).read_text()
        behind = {f"10.0.0.1{number}:{port}": f"127.0.0.1:{other}" for number, node in enumerate(nodes, 1) for port, other in ((8080, node.port), (1883, node.mqtt))}
        for shown, put in self.changes(nodes).items():
            assert shown in text, f"{self.file} does not say '{shown}'"
            text = text.replace(shown, put)
        for shown, put in behind.items():
            text = text.replace(shown, put)
        self.path = self.folder / self.file
        self.path.write_text(text)
        self.log_path = self.folder / "log"
        self.process = None

    def changes(self, nodes):
        return {}

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def start(self):
        environment = {**os.environ, "HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder)}
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, start_new_session=True)

        def ready():
            assert self.process.poll() is None, f"{self.file}: ended with {self.process.returncode}:\n{self.log()}"
            try:
                return self.get("/readyz", timeout=2)[0] == 200
            except OSError:
                return False

        until(ready, 15, f"{self.file}: readiness through the proxy")
        return self

    def stop(self):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self):
        return self.log_path.read_text(errors="replace")[-3000:]


class Nginx(Proxy):
    file = "nginx.conf"

    def changes(self, nodes):
        # Where no root runs it, its own folders cannot be written to.
        places = "".join(f"{name}_temp_path {self.folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return {
            "listen 80;": f"listen 127.0.0.1:{self.port};", "listen 443 ": f"listen 127.0.0.1:{self.tls} ", "listen 1883 ": f"listen 127.0.0.1:{self.mqtt} ",
            "listen 8883 ": f"listen 127.0.0.1:{self.mqtts} ", "/etc/ssl/tidings.crt": str(self.certificate), "/etc/ssl/private/tidings.key": str(self.key),
            "error_log /var/log/nginx/error.log": "error_log stderr", "worker_rlimit_nofile 200000": "worker_rlimit_nofile 4096", "worker_connections 65536": "worker_connections 1024",
            "http {": f"http {{ {places}", "user www-data;": "",
        }

    def command(self):
        return ["/usr/sbin/nginx", "-c", self.path, "-g", f"daemon off; pid {self.folder}/pid;"]


class HAProxy(Proxy):
    file = "haproxy.cfg"

    def changes(self, nodes):
        return {
            "bind :80\n": f"bind 127.0.0.1:{self.port}\n", "bind :443 ": f"bind 127.0.0.1:{self.tls} ", "bind :1883\n": f"bind 127.0.0.1:{self.mqtt}\n",
            "bind :8883 ": f"bind 127.0.0.1:{self.mqtts} ", "/etc/ssl/private/tidings.pem": str(self.folder / "tidings.pem"),
            "10.0.0.11:1883 port 8080": f"10.0.0.11:1883 port {nodes[0].port}", "10.0.0.12:1883 port 8080": f"10.0.0.12:1883 port {nodes[1].port}",
        }

    def command(self):
        return ["/usr/sbin/haproxy", "-db", "-f", self.path]


class Caddy(Proxy):
    file = "Caddyfile"
    speaks_mqtt = False

    def changes(self, nodes):
        return {"events.example.com {": f"{{\n\tadmin off\n}}\nhttp://127.0.0.1:{self.port} {{"}

    def command(self):
        return ["/usr/bin/caddy", "run", "--config", self.path, "--adapter", "caddyfile"]
