"""Disks and networks of a scenario's own: in namespaces that go, with all that is mounted in them, when its processes end."""

import ctypes
import fcntl
import os
import pathlib
import struct
import subprocess
import sys

CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
EXT4_IOC_SHUTDOWN, WITHOUT_FLUSHING_THE_LOG = 0x8004587D, 2

# A node must not outlive the scenario, whatever ends that: it would hold the namespace.
WITH_US = ("setpriv", "--pdeathsig", "KILL")


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def go_apart(network=False):
    """From here on this process mounts what nobody else sees; and with `network` it has a network of its own, of a loopback alone."""
    if os.geteuid():
        sys.exit("this scenario makes namespaces and mounts: run it as root")
    libc = ctypes.CDLL(None, use_errno=True)
    for failed in (libc.unshare(CLONE_NEWNS | (CLONE_NEWNET if network else 0)), libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)):
        if failed:
            sys.exit(f"no namespace of its own: {os.strerror(ctypes.get_errno())}")
    if network:
        run("ip", "link", "set", "lo", "up")


class Network:
    """A network of the nodes' own: each has a namespace, and this process, where the clients are, is the router between them.

    Where it cuts, clients still reach every node.
    """

    def __init__(self, cluster):
        go_apart(network=True)
        pathlib.Path("/run/netns").mkdir(exist_ok=True)
        run("mount", "-t", "tmpfs", "none", "/run/netns")
        pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        run("nft", "add table inet cuts; add chain inet cuts forward { type filter hook forward priority 0; }")
        secret = cluster.folder / "secret"
        secret.write_text("the secret of a scenario's own cluster\n")
        for number, node in enumerate(cluster.nodes, 1):
            space = f"tidings-{number}"
            run("ip", "netns", "add", space)
            run("ip", "link", "add", f"to{number}", "type", "veth", "peer", "name", "eth0", "netns", space)
            run("ip", "addr", "add", f"10.77.{number}.1/30", "dev", f"to{number}")
            run("ip", "link", "set", f"to{number}", "up")
            node.host = f"10.77.{number}.2"
            run("ip", "-n", space, "addr", "add", f"{node.host}/30", "dev", "eth0")
            run("ip", "-n", space, "link", "set", "eth0", "up")
            run("ip", "-n", space, "link", "set", "lo", "up")
            run("ip", "-n", space, "route", "add", "default", "via", f"10.77.{number}.1")
            node.prefix = (*WITH_US, "ip", "netns", "exec", space)
            node.options = (*node.options, "--auth", "none", "--cluster-secret-file", str(secret))
        cluster.join[:] = [broker.cluster_address for broker in cluster.brokers]

    def cut(self, sources, destinations):
        """What the sources send to the destinations is lost without a word."""
        for source in sources:
            for destination in destinations:
                if source is not destination:
                    run("nft", f"add rule inet cuts forward ip saddr {source.host} ip daddr {destination.host} drop")

    def heal(self):
        run("nft", "flush chain inet cuts forward")


class Disk:
    """A small ext4 in a file: it can be filled, and its power can be cut."""

    def __init__(self, path, megabytes):
        self.path = pathlib.Path(path)
        self.image = self.path.with_suffix(".img")
        self.path.mkdir(parents=True)
        with open(self.image, "wb") as image:
            image.truncate(megabytes << 20)
        run("mkfs.ext4", "-q", "-F", "-m", "0", str(self.image))
        self.mount()

    def mount(self):
        run("mount", "-o", "loop", str(self.image), str(self.path))

    def unmount(self):
        run("umount", str(self.path))

    def remove(self):
        self.unmount()
        self.image.unlink(missing_ok=True)

    def cut_power(self):
        """What was not synced is gone; what is asked of the file system from now on fails."""
        directory = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(directory, EXT4_IOC_SHUTDOWN, struct.pack("I", WITHOUT_FLUSHING_THE_LOG))
        finally:
            os.close(directory)

    def free(self):
        place = os.statvfs(self.path)
        return place.f_bavail * place.f_frsize

    @property
    def ballast(self):
        return self.path / "ballast"

    def fill(self):
        """Until no byte is free."""
        with open(self.ballast, "ab", buffering=0) as ballast:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        ballast.write(bytes(size))
                except OSError:
                    continue

    def make_space(self):
        self.ballast.unlink()
