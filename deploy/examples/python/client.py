#!/usr/bin/env python3
"""Sends rosters to the exchange, and reads histories, feeds and proofs from it. See README.md."""

import argparse
import datetime
import json
import os
import pathlib
import sys
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "stubs"))

import grpc
from google.protobuf.json_format import MessageToDict
from google.type import date_pb2
from throughline.feed.v1 import feed_pb2, feed_pb2_grpc
from throughline.history.v1 import history_pb2
from throughline.ledger.v1 import ledger_pb2, ledger_pb2_grpc
from throughline.roster.v1 import roster_pb2, roster_pb2_grpc

from failure import Failure
from ledger import check_consistency, check_entry, read_checkpoint, root_from_inclusion
from received import NotVerified, Received

MESSAGE_BYTES_MAX = 32 * 1024 * 1024
ACKNOWLEDGE_EVERY = 500
ATTEMPTS_MAX = 8
PAUSE_SECONDS_MAX = 10
ANSWER_SECONDS_MAX = 60
ROSTER_SECONDS_MAX = 600


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


# ---- rosters ---------------------------------------------------------------------------------------------------------


def roster(channel, options):
    """Sends the list of the caller's clients, in the agency's own columns, and prints the receipt."""
    day = datetime.date.fromisoformat(options.date)
    request = roster_pb2.SubmitRosterRequest(
        content=pathlib.Path(options.file).read_bytes(),
        roster_date=date_pb2.Date(year=day.year, month=day.month, day=day.day),
        request_id=str(uuid.uuid4()),
    )
    receipt = roster_pb2_grpc.RosterServiceStub(channel).SubmitRoster(request, timeout=ROSTER_SECONDS_MAX)
    print(as_json(receipt))
    return 1 if receipt.refused_reason else 0


# ---- one history -----------------------------------------------------------------------------------------------------


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


# ---- a feed ----------------------------------------------------------------------------------------------------------


def feed(channel, options):
    """Keeps the caller's population as a file; goes on where it was cut."""
    service = feed_pb2_grpc.FeedServiceStub(channel)
    received = Received(options.to)
    attempt = 0
    while True:
        before = received.position
        try:
            end, token = receive(service, received, options)
            received.finish(end, token)
            acknowledge(service, token)
            print(f"{end.histories} histories and {end.withdrawals} withdrawals in {options.to}, digest {end.digest}")
            for person in received.omitted:
                print(f"{person}: too large to be sent; what is held of this client is not the present state", file=sys.stderr)
            return
        except grpc.RpcError as error:
            failure = Failure(error)
            received.sync()
            attempt = 0 if received.position > before else attempt + 1
            if failure.ends_the_run() and received.token:
                # What was received and what would come are not one feed.
                received.file.close()
                received.restart(keep=False)
            elif not failure.passes():
                raise
            if attempt == ATTEMPTS_MAX:
                raise
            time.sleep(max(failure.retry_after, min(2**attempt / 4, PAUSE_SECONDS_MAX)))


def receive(service, received, options):
    request = feed_pb2.StreamFeedRequest(
        office=options.office, purpose=options.purpose, resume_token=received.token
    )
    for message in service.StreamFeed(request):
        event = message.WhichOneof("event")
        if event == "run_end":
            return message.run_end, message.resume_token
        if event != "heartbeat":
            received.add(message)
            if received.position % ACKNOWLEDGE_EVERY == 0:
                received.sync()
                acknowledge(service, received.token)
    raise NotVerified("the feed ended without saying that it is complete")


def acknowledge(service, token):
    """Only what is stored durably is acknowledged."""
    request = feed_pb2.AckFeedRequest(resume_token=token, request_id=str(uuid.uuid4()))
    service.AckFeed(request, timeout=ANSWER_SECONDS_MAX)


# ---- the ledger ------------------------------------------------------------------------------------------------------


def check_growth(service, kept, size, root):
    """Whether the ledger of this size and root extends the one kept."""
    old_size, old_root = kept
    if size < old_size:
        raise NotVerified(f"the log does not extend the checkpoint kept: it has shrunk from {old_size} to {size} entries")
    path = []
    if 0 < old_size < size:
        request = ledger_pb2.GetConsistencyProofRequest(old_size=old_size, new_size=size)
        path = list(service.GetConsistencyProof(request, timeout=ANSWER_SECONDS_MAX).hashes)
    if old_size:
        check_consistency(old_size, old_root, size, root, path)


def checkpoint(channel, options):
    """Keeps the newest checkpoint, if it extends the one kept."""
    service = ledger_pb2_grpc.LedgerServiceStub(channel)
    file = pathlib.Path(options.keep)
    note = service.GetCheckpoint(ledger_pb2.GetCheckpointRequest(), timeout=ANSWER_SECONDS_MAX).checkpoint
    size, root = read_checkpoint(note, options.log_key)
    if file.exists():
        kept = read_checkpoint(file.read_text(), options.log_key)
        check_growth(service, kept, size, root)
        print(f"the ledger has grown from {kept[0]} to {size} entries; nothing before was changed")
    else:
        print(f"the ledger has {size} entries")
    part = file.with_name(file.name + ".part")
    part.write_text(note)
    part.replace(file)


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
    message = pathlib.Path(options.message).read_bytes() if options.message else None
    check_entry(proof, options.disclosure_id, message)
    said = f"entry {proof.leaf_index} of {size}"
    if options.message:
        said += ", with exactly these bytes"
    if options.checkpoint:
        kept = read_checkpoint(pathlib.Path(options.checkpoint).read_text(), options.log_key)
        check_growth(service, kept, size, root)
        said += ", in a ledger that extends the checkpoint kept"
    print(said)


# ---- the command line ------------------------------------------------------------------------------------------------


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="localhost:50051", help="host and port; the host as its certificate names it")
    parser.add_argument("--certs", required=True, help="folder with ca.pem and the caller's certificate and key")
    parser.add_argument("--as", dest="bearer", required=True, help="whose certificate: NAME.pem and NAME.key in that folder")
    commands = parser.add_subparsers(dest="command", required=True)

    sent = commands.add_parser("roster", help="send the list of the caller's clients")
    sent.add_argument("file", help="CSV in UTF-8, in the agency's own columns")
    sent.add_argument("--date", required=True, help="the day it speaks of (YYYY-MM-DD)")
    sent.set_defaults(run=roster)

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
    # What is written here is about children: nobody else on this machine reads it.
    os.umask(0o077)
    with connect(options) as channel:
        try:
            return options.run(channel, options) or 0
        except grpc.RpcError as error:
            print(Failure(error), file=sys.stderr)
            return 1
        except NotVerified as error:
            print(f"does not verify: {error}", file=sys.stderr)
            return 3


if __name__ == "__main__":
    sys.exit(main())
