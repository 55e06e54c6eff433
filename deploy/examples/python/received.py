"""What was received of a run of the feed, kept so that it can be cut anywhere and nothing is lost or applied twice."""

import base64
import hashlib
import json
import os
import pathlib

from google.protobuf.json_format import MessageToDict
from throughline.feed.v1 import feed_pb2


class NotVerified(Exception):
    """Something that the exchange said does not hold."""


class Received:
    """A file of lines beside the target, in the order of positions: each holds one event and the token to go on behind it.

    An event and its token are one line, so that a kill leaves both or neither; a line that was cut, and all behind it, comes again. The
    target is written when the run is complete, and takes the place of the one before in one step. Then, and not before, the run's last token
    is kept beside it: the next run begins there, and sends only what changed. A kill between the two costs a whole run and nothing else.
    """

    def __init__(self, target):
        self.target = pathlib.Path(target)
        self.part, self.last = (self.target.with_name(self.target.name + end) for end in (".part", ".token"))
        self.restart(keep=True)

    def restart(self, keep):
        """Takes up what was received; without `keep`, throws it away and begins a whole run."""
        self.position, self.histories, self.withdrawals, self.omitted, self.digest = 0, 0, [], [], bytes(32)
        self.token = self.last.read_bytes() if keep and self.target.exists() and self.last.exists() else b""
        # Where each person's history stands; of whoever was withdrawn: nowhere.
        self.places = {}
        whole = 0
        if keep and self.part.exists():
            with self.part.open("rb") as lines:
                for line in lines:
                    if not line.endswith(b"\n"):
                        break
                    try:
                        self.count(json.loads(line), whole)
                    except (ValueError, KeyError, TypeError, NotVerified):
                        break
                    whole += len(line)
        self.file = self.part.open("r+b" if whole else "wb")
        self.file.truncate(whole)
        self.file.seek(whole)

    def count(self, line, place):
        """Takes a line into account, whole or not at all. Of an event that is not known here only the position counts."""
        position, token = line["position"], base64.b64decode(line["resume_token"])
        if position != self.position + 1:
            raise NotVerified("a message of the run is missing, or came twice")
        if "history" in line:
            person, content = line["history"]["person_id"], bytes.fromhex(line["history"]["content_digest"])
            self.chain(content)
            self.histories += 1
            self.places[person] = place
        elif "withdrawal" in line:
            said = line["withdrawal"]
            day = "{year:04}-{month:02}-{day:02}".format(**said["destroy_by_date"])
            self.chain(hashlib.sha256(f"{said['person_id']}\n{said['reason']}\n{day}\n".encode()).digest())
            self.withdrawals.append(said)
            self.places[said["person_id"]] = None
        elif "omission" in line:
            self.omitted.append(line["omission"]["person_id"])
        self.position, self.token = position, token

    def chain(self, content):
        self.digest = hashlib.sha256(self.digest + content).digest()

    def add(self, message):
        """Stores an event."""
        line = {"position": message.position, "resume_token": base64.b64encode(message.resume_token).decode()}
        event = message.WhichOneof("event")
        if event is not None:
            line[event] = MessageToDict(getattr(message, event), preserving_proto_field_name=True)
        self.count(line, self.file.tell())
        self.file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")

    def sync(self):
        """From here on it outlives a loss of power: it may be acknowledged."""
        self.file.flush()
        os.fsync(self.file.fileno())

    def finish(self, end, token):
        """The run is complete: compares counts and digest, and gives the target its content."""
        said = (end.histories, end.withdrawals, end.omitted, end.digest)
        if said != (self.histories, len(self.withdrawals), len(self.omitted), self.digest.hex()):
            self.file.close()
            self.part.unlink()  # The next start begins a run of its own.
            raise NotVerified("the run's counts or digest are not those of what was received")
        self.sync()
        self.list_withdrawals()
        whole = self.target.with_name(self.target.name + ".new")
        with self.part.open("rb") as lines, whole.open("w", encoding="utf-8") as out:
            if end.scope == feed_pb2.SCOPE_CHANGES:
                with self.target.open(encoding="utf-8") as before:
                    out.writelines(line for line in before if json.loads(line)["person_id"] not in self.places)
            for place in filter(lambda place: place is not None, self.places.values()):
                lines.seek(place)
                out.write(json.dumps(json.loads(lines.readline())["history"], ensure_ascii=False) + "\n")
            out.flush()
            os.fsync(out.fileno())
        whole.replace(self.target)
        new = self.last.with_name(self.last.name + ".new")
        new.write_bytes(token)
        new.replace(self.last)
        self.file.close()
        self.part.unlink()

    def list_withdrawals(self):
        """What is to be destroyed elsewhere too is listed beside the target, each withdrawal once, until somebody has done it."""
        listed = self.target.with_name(self.target.name + ".withdrawals")
        lines = listed.read_text(encoding="utf-8").splitlines() if listed.exists() else []
        lines += [line for line in map(json.dumps, self.withdrawals) if line not in lines]
        if lines:
            new = listed.with_name(listed.name + ".new")
            new.write_text("\n".join(lines) + "\n", encoding="utf-8")
            new.replace(listed)
