#!/usr/bin/env python3
"""Kills clients of the feed, and cuts their connections, at moments that chance picks, and holds what they end with to a clean run.

    ./chaos.py --certs FOLDER --as NAME --client "python/client.py" --client "node typescript/dist/client.js"

Each client keeps one file through all of it. Whenever it completes a run its copy must be the clean run's, person by person, whatever was
done to it before; and every client's must be the first one's. Prints what was done, and ends with 1 at the first difference.
"""

import argparse
import json
import os
import pathlib
import random
import shlex
import socket
import subprocess
import sys
import tempfile
import threading
import time

# These belong to a disclosure, not to what is disclosed.
OF_THE_DISCLOSURE = ("disclosure_id", "decided_time", "as_of_time")
CLIENT_SECONDS_MAX = 300
# About two lines.
TORN_BYTES_MAX = 40_000


def copy_of(path):
    """A copy as persons and what is known of them; two lines about one person are an error."""
    persons = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        history = json.loads(line)
        for name in OF_THE_DISCLOSURE:
            history.pop(name)
        if history["person_id"] in persons:
            sys.exit(f"{path.name}: one person stands there twice")
        persons[history["person_id"]] = history
    return persons


class Client:
    """One client and the file it keeps."""

    def __init__(self, command, folder, options):
        self.command, self.options = command, options
        self.target = folder / "copy.ndjson"
        self.part, self.last = folder / "copy.ndjson.part", folder / "copy.ndjson.token"

    def start(self, server):
        # Without the last run's token a whole run begins: of what changed there would be little to cut.
        if not self.part.exists():
            self.last.unlink(missing_ok=True)
        feed = ["--server", server, "--certs", self.options.certs, "--as", self.options.bearer, "feed", "--to", self.target]
        return subprocess.Popen([*shlex.split(self.command), *feed], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def complete(self, process):
        """Waits for a run to be complete; gives the copy."""
        _, said = process.communicate(timeout=CLIENT_SECONDS_MAX)
        if process.returncode != 0:
            sys.exit(f"{self.command} ended with {process.returncode}: {said.decode()}")
        return copy_of(self.target)

    def stored(self):
        """How many events lie there of a run that is not complete."""
        return self.part.read_bytes().count(b"\n") if self.part.exists() else 0

    def tear(self, chance):
        """Loses the last bytes written, as a machine does that loses its power; whether there were any."""
        size = self.part.stat().st_size if self.part.exists() else 0
        if size > 0:
            # Often the line's end alone.
            os.truncate(self.part, size - chance.choice([1, chance.randrange(1, min(size, TORN_BYTES_MAX) + 1)]))
        return size > 0


def kill(client, clean, seconds, chance):
    """Kills the client again and again; what it ends with is the clean run's."""
    done = dict.fromkeys(["kills", "of them within a run", "of them losing what was written last", "complete runs in between"], 0)
    while done["kills"] < client.options.kills:
        process = client.start(client.options.server)
        # Half of the kills at any moment, half once the first messages have come: starting up takes the longest.
        if chance.random() < 0.5:
            before, until = client.stored(), time.monotonic() + seconds
            while process.poll() is None and client.stored() == before and time.monotonic() < until:
                time.sleep(0.001)
            wait = chance.uniform(0, seconds / 4)
        else:
            wait = chance.uniform(0, seconds)
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            done["kills"] += 1
            done["of them within a run"] += client.stored() > 0
            if chance.random() < 0.5:
                done["of them losing what was written last"] += client.tear(chance)
            continue
        compare(client, client.complete(process), clean)
        done["complete runs in between"] += 1
    compare(client, client.complete(client.start(client.options.server)), clean)
    return done


class Wire:
    """Stands between client and server and cuts each connection after so many bytes of answers, once `bytes_max` is set."""

    def __init__(self, server, chance):
        host, port = server.rsplit(":", 1)
        self.server, self.chance, self.bytes_max = (host, int(port)), chance, None
        self.bytes, self.cuts = 0, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"localhost:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            near, _ = self.listener.accept()
            far = socket.create_connection(self.server)
            left = self.bytes_max and self.chance.randrange(self.bytes_max)
            threading.Thread(target=self.pump, args=(near, far, None), daemon=True).start()
            threading.Thread(target=self.pump, args=(far, near, left), daemon=True).start()

    def pump(self, source, sink, left):
        try:
            while left is None or left > 0:
                data = source.recv(4096 if left is None else min(4096, left))
                if not data:
                    break
                sink.sendall(data)
                self.bytes += len(data)
                left = None if left is None else left - len(data)
            self.cuts += left == 0
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def cut(client, clean, chance):
    """Cuts the client's connections again and again; what it ends with is the clean run's."""
    wire, runs = Wire(client.options.server, chance), 0
    compare(client, client.complete(client.start(wire.address)), clean)
    # A connection carries from nothing to as much as a whole run takes.
    wire.bytes_max = wire.bytes
    while wire.cuts < client.options.cuts:
        compare(client, client.complete(client.start(wire.address)), clean)
        runs += 1
    return {"cuts": wire.cuts, "complete runs through them": runs}


def compare(client, copy, clean):
    if copy != clean:
        differing = sum(copy.get(person) != clean.get(person) for person in copy.keys() | clean.keys())
        sys.exit(f"{client.command}: {differing} persons of {len(clean)} are not as in a clean run")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="localhost:50051", help="host and port of the exchange")
    parser.add_argument("--certs", required=True, help="folder with the certificates")
    parser.add_argument("--as", dest="bearer", required=True, help="whose certificate")
    parser.add_argument("--client", action="append", required=True, help="a client's command, as python/client.py has it")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    first = None
    for command in options.client:
        chance = random.Random(options.seed)
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            client, began = Client(command, folder, options), time.monotonic()
            clean = client.complete(client.start(options.server))
            seconds = time.monotonic() - began
            first = clean if first is None else first
            compare(client, clean, first)
            done = kill(client, clean, seconds, chance) | cut(client, clean, chance)
        print(f"{pathlib.Path(shlex.split(command)[-1]).name}: {len(clean)} persons, equal after " + ", ".join(f"{count} {what}" for what, count in done.items()), flush=True)


if __name__ == "__main__":
    main()
