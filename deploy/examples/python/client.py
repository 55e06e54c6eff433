#!/usr/bin/env python3
"""Reads histories, feeds and proofs from the exchange. See README.md."""

import argparse
import base64
import hashlib
import json
import os
import pathlib
import sys
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "stubs"))

import grpc
from google.protobuf.json_format import MessageToDict
from throughline.feed.v1 import feed_pb2, feed_pb2_grpc
from throughline.history.v1 import history_pb2
from throughline.ledger.v1 import ledger_pb2, ledger_pb2_grpc

MESSAGE_BYTES_MAX = 32 * 1024 * 1024
ACKNOWLEDGE_EVERY = 500
ATTEMPTS_MAX = 8
ANSWER_SECONDS_MAX = 60


class NotVerified(Exception):
    """Something that the exchange said does not hold."""


def connect(options):
    """A channel whose caller is the bearer of a certificate."""
    certs = pathlib.Path(options.certs)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=(certs / "ca.pem").read_bytes(),
        private_key=(certs / f"{options.bearer}.key").read_bytes(),
        certificate_chain=(certs / f"{options.bearer}.pem").read_bytes(),
    )
    return grpc.secure_channel(
        options.server,
        credentials,
        options=[
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
            ("grpc.keepalive_time_ms", 60_000),
        ],
    )


def as_json(message):
    return json.dumps(MessageToDict(message, preserving_proto_field_name=True), ensure_ascii=False)


# ---- one history ---------------------------------------------------------------------------------------------------


def history(channel, options):
    """Prints one client's history; keeps the very bytes of the answer if asked to."""
    request = history_pb2.GetHistoryRequest(
        person_id=options.person_id,
        purpose=options.purpose,
        on_behalf_of=options.on_behalf_of,
        request_id=str(uuid.uuid4()),
    )
    if options.as_of:
        request.as_of_time.FromJsonString(options.as_of)
    # The answer's bytes are what the ledger holds the digest of, so they are taken as they come.
    get_history = channel.unary_unary(
        "/throughline.history.v1.HistoryService/GetHistory",
        request_serializer=history_pb2.GetHistoryRequest.SerializeToString,
        response_deserializer=None,
    )
    answer = get_history(request, timeout=ANSWER_SECONDS_MAX)
    if options.save:
        pathlib.Path(options.save).write_bytes(answer)
    print(as_json(history_pb2.GetHistoryResponse.FromString(answer).history))


# ---- a feed --------------------------------------------------------------------------------------------------------


class Received:
    """What was received of a run: a file of lines, each a history and the token to go on behind it."""

    def __init__(self, target):
        self.target = pathlib.Path(target)
        self.part = self.target.with_name(self.target.name + ".part")
        self.restart(keep=True)

    def restart(self, keep):
        self.token, self.histories, self.digest = b"", 0, bytes(32)
        whole = 0
        if keep and self.part.exists():
            with self.part.open("rb") as lines:
                for line in lines:
                    if not line.endswith(b"\n"):
                        break  # Cut while it was written: it comes again.
                    self.count(json.loads(line))
                    whole += len(line)
        self.file = self.part.open("r+b" if whole else "wb")
        self.file.truncate(whole)
        self.file.seek(whole)

    def count(self, line):
        self.token = base64.b64decode(line["resume_token"])
        self.histories += 1
        self.digest = hashlib.sha256(self.digest + bytes.fromhex(line["history"]["content_digest"])).digest()

    def add(self, message):
        line = {
            "resume_token": base64.b64encode(message.resume_token).decode(),
            "history": MessageToDict(message.history, preserving_proto_field_name=True),
        }
        self.file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        self.count(line)

    def sync(self):
        self.file.flush()
        os.fsync(self.file.fileno())

    def finish(self, end):
        """The run is complete: compares count and digest, and gives the file its name."""
        if end.withdrawals or end.histories != self.histories or end.digest != self.digest.hex():
            self.file.close()
            self.part.unlink()  # The next start begins a run of its own.
            raise NotVerified("the run's count or digest is not that of what was received")
        self.sync()
        whole = self.target.with_name(self.target.name + ".new")
        with self.part.open("rb") as lines, whole.open("w", encoding="utf-8") as out:
            for line in lines:
                out.write(json.dumps(json.loads(line)["history"], ensure_ascii=False) + "\n")
            out.flush()
            os.fsync(out.fileno())
        whole.replace(self.target)
        self.file.close()
        self.part.unlink()


def feed(channel, options):
    """Keeps the caller's population as a file; goes on where it was cut."""
    service = feed_pb2_grpc.FeedServiceStub(channel)
    received = Received(options.to)
    attempt = 0
    while True:
        before = received.histories
        try:
            end = receive(service, received, options)
            received.finish(end)
            print(f"{end.histories} histories in {options.to}, digest {end.digest}")
            return
        except grpc.RpcError as error:
            received.sync()
            attempt = 0 if received.histories > before else attempt + 1
            if error.code() == grpc.StatusCode.FAILED_PRECONDITION:
                # The agreement has changed: what was received and what would come are not one feed.
                received.file.close()
                received.restart(keep=False)
            elif error.code() != grpc.StatusCode.UNAVAILABLE:
                raise
            if attempt == ATTEMPTS_MAX:
                raise
            time.sleep(min(2**attempt / 4, 10))


def receive(service, received, options):
    request = feed_pb2.StreamFeedRequest(
        office=options.office, purpose=options.purpose, resume_token=received.token
    )
    for message in service.StreamFeed(request):
        event = message.WhichOneof("event")
        if event == "history":
            received.add(message)
            if received.histories % ACKNOWLEDGE_EVERY == 0:
                acknowledge(service, received)
        elif event == "run_end":
            acknowledge(service, received)
            return message.run_end
    raise NotVerified("the feed ended without saying that it is complete")


def acknowledge(service, received):
    """Only what is stored durably is acknowledged."""
    received.sync()
    if received.token:
        request = feed_pb2.AckFeedRequest(resume_token=received.token, request_id=str(uuid.uuid4()))
        service.AckFeed(request, timeout=ANSWER_SECONDS_MAX)


# ---- the ledger (RFC 6962, C2SP) -------------------------------------------------------------------------------------


def leaf_hash(leaf):
    return hashlib.sha256(b"\0" + leaf).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def root_from_inclusion(index, size, leaf, path):
    """The root to which an audit path leads (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        raise NotVerified("the position lies outside the tree")
    fn, sn, root = index, size - 1, leaf
    for sibling in path:
        if sn == 0:
            raise NotVerified("the path is too long")
        if fn & 1 or fn == sn:
            root = node_hash(sibling, root)
            while fn & 1 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            root = node_hash(root, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise NotVerified("the path is too short")
    return root


def check_consistency(old_size, old_root, new_size, new_root, path):
    """Whether the later tree extends the earlier one (RFC 9162, 2.1.4.2)."""
    if old_size == new_size:
        if path or old_root != new_root:
            raise NotVerified("one size has two roots: the ledger was rewritten")
        return
    if not 0 < old_size < new_size or not path:
        raise NotVerified("the ledger has shrunk, or proves nothing")
    if old_size & (old_size - 1) == 0:
        path = [old_root, *path]
    fn, sn = old_size - 1, new_size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for step in path[1:]:
        if sn == 0:
            raise NotVerified("the path is too long")
        if fn & 1 or fn == sn:
            fr, sr = node_hash(step, fr), node_hash(step, sr)
            while fn & 1 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, step)
        fn, sn = fn >> 1, sn >> 1
    if fr != old_root or sr != new_root or sn != 0:
        raise NotVerified("the log does not extend the checkpoint kept: it was rewritten")


def read_checkpoint(note, log_key=None):
    """Size and root of a checkpoint; with the ledger's key its signature is checked."""
    text, separator, signatures = note.rpartition("\n\n")
    lines = text.split("\n")
    if not separator or len(lines) < 3:
        raise NotVerified("this is no checkpoint")
    if log_key:
        check_signature(text + "\n", signatures, lines[0], log_key)
    return int(lines[1]), base64.b64decode(lines[2])


def check_signature(text, signatures, origin, log_key):
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    name, key_id, encoded = log_key.split("+", 2)
    key = base64.b64decode(encoded)
    if name != origin or key[0] != 1:
        raise NotVerified("the checkpoint is another ledger's")
    for line in signatures.splitlines():
        _, signer, encoded = line.split(" ")
        blob = base64.b64decode(encoded)
        if signer == name and blob[:4].hex() == key_id:
            try:
                Ed25519PublicKey.from_public_bytes(key[1:]).verify(blob[4:], text.encode())
                return
            except InvalidSignature:
                break
    raise NotVerified("the checkpoint is not signed with the ledger's key")


def checkpoint(channel, options):
    """Keeps the newest checkpoint, if it extends the one kept."""
    service = ledger_pb2_grpc.LedgerServiceStub(channel)
    kept = pathlib.Path(options.keep)
    answer = service.GetCheckpoint(ledger_pb2.GetCheckpointRequest(), timeout=ANSWER_SECONDS_MAX)
    note = answer.checkpoint
    size, root = read_checkpoint(note, options.log_key)
    if kept.exists():
        old_size, old_root = read_checkpoint(kept.read_text(), options.log_key)
        if size < old_size:
            raise NotVerified(f"the log does not extend the checkpoint kept: it has shrunk from {old_size} to {size} entries")
        path = []
        if 0 < old_size < size:
            proof = service.GetConsistencyProof(
                ledger_pb2.GetConsistencyProofRequest(old_size=old_size, new_size=size), timeout=ANSWER_SECONDS_MAX
            )
            path = list(proof.hashes)
        if old_size:
            check_consistency(old_size, old_root, size, root, path)
        print(f"the ledger has grown from {old_size} to {size} entries; nothing before was changed")
    else:
        print(f"the ledger has {size} entries")
    part = kept.with_name(kept.name + ".part")
    part.write_text(note)
    part.replace(kept)


LEAF_PREFIX = b"throughline-ledger/v1/leaf\n"
CONTENT_PREFIX = b"throughline-ledger/v1/content\n"


def prove(channel, options):
    """Shows that a disclosure is in the ledger, and that exactly these bytes were recorded."""
    service = ledger_pb2_grpc.LedgerServiceStub(channel)
    proof = service.GetInclusionProof(
        ledger_pb2.GetInclusionProofRequest(disclosure_id=options.disclosure_id), timeout=ANSWER_SECONDS_MAX
    )
    size, root = read_checkpoint(proof.checkpoint, options.log_key)
    if size != proof.tree_size:
        raise NotVerified("the checkpoint is that of another size")
    if root_from_inclusion(proof.leaf_index, size, proof.leaf_hash, list(proof.hashes)) != root:
        raise NotVerified("the path does not lead to the checkpoint")
    extra = next(line for line in proof.proof.splitlines() if line.startswith("extra "))
    extra = base64.b64decode(extra.removeprefix("extra "))
    leaf, salt = extra[: len(LEAF_PREFIX) + 16 + 3 * 32], extra[len(LEAF_PREFIX) + 16 + 3 * 32 :]
    disclosure = leaf[len(LEAF_PREFIX) : len(LEAF_PREFIX) + 16]
    if leaf_hash(leaf) != proof.leaf_hash or uuid.UUID(bytes=disclosure) != uuid.UUID(options.disclosure_id):
        raise NotVerified("the entry is another disclosure's")
    said = f"entry {proof.leaf_index} of {size}"
    if options.message:
        digest = hashlib.sha256(pathlib.Path(options.message).read_bytes()).digest()
        if hashlib.sha256(CONTENT_PREFIX + salt + digest).digest() != leaf[-32:]:
            raise NotVerified("other bytes than these were recorded")
        said += ", with exactly these bytes"
    if options.checkpoint:
        old_size, old_root = read_checkpoint(pathlib.Path(options.checkpoint).read_text(), options.log_key)
        if old_size > size:
            raise NotVerified("the log does not extend the checkpoint kept: it has shrunk")
        growth = service.GetConsistencyProof(
            ledger_pb2.GetConsistencyProofRequest(old_size=old_size, new_size=size), timeout=ANSWER_SECONDS_MAX
        )
        check_consistency(old_size, old_root, size, root, list(growth.hashes))
        said += ", in a ledger that extends the checkpoint kept"
    print(said)


# ---- the command line ------------------------------------------------------------------------------------------------


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="localhost:50051", help="host and port; the host as its certificate names it")
    parser.add_argument("--certs", required=True, help="folder with ca.pem and the caller's certificate and key")
    parser.add_argument("--as", dest="bearer", required=True, help="whose certificate: NAME.pem and NAME.key in that folder")
    commands = parser.add_subparsers(dest="command", required=True)

    one = commands.add_parser("history", help="one client's history as JSON")
    one.add_argument("person_id", help="the client by the caller's own person id")
    one.add_argument("--purpose", default="", help="by its code in the agreement")
    one.add_argument("--as-of", help="what was known at this time (RFC 3339)")
    one.add_argument("--on-behalf-of", default="", help="who asks, for the record of disclosures")
    one.add_argument("--save", help="keep the answer's bytes")
    one.set_defaults(run=history)

    many = commands.add_parser("feed", help="the whole population as NDJSON, resumable")
    many.add_argument("--to", required=True, help="the file")
    many.add_argument("--office", default="", help="only this office's clients")
    many.add_argument("--purpose", default="", help="by its code in the agreement")
    many.set_defaults(run=feed)

    head = commands.add_parser("checkpoint", help="keep the ledger's newest checkpoint")
    head.add_argument("--keep", required=True, help="the file")
    head.add_argument("--log-key", help="the ledger's public key (C2SP vkey)")
    head.set_defaults(run=checkpoint)

    entry = commands.add_parser("prove", help="show that a disclosure is in the ledger")
    entry.add_argument("disclosure_id", help="as the history bears it")
    entry.add_argument("--message", help="the answer's bytes, as history --save kept them")
    entry.add_argument("--checkpoint", help="a checkpoint kept before")
    entry.add_argument("--log-key", help="the ledger's public key (C2SP vkey)")
    entry.set_defaults(run=prove)
    return parser.parse_args()


def main():
    options = arguments()
    with connect(options) as channel:
        try:
            options.run(channel, options)
        except grpc.RpcError as error:
            print(f"{error.code().name}: {error.details()}", file=sys.stderr)
            return 1
        except NotVerified as error:
            print(f"does not verify: {error}", file=sys.stderr)
            return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
