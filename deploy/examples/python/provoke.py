#!/usr/bin/env python3
"""Provokes the refusals and failures that ERRORS.md lists, and says which of them did not come as it says.

    ./provoke.py --program throughline --world FOLDER

FOLDER is made anew, as a sandbox. Only for whoever has the program: what is provoked here takes stewards and settings of the server.
"""

import argparse
import contextlib
import hashlib
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time
import types
import uuid

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "stubs"), str(HERE.parent)]

import grpc
from google.type import date_pb2
from throughline.feed.v1 import feed_pb2, feed_pb2_grpc
from throughline.history.v1 import history_pb2, history_pb2_grpc
from throughline.ledger.v1 import ledger_pb2, ledger_pb2_grpc
from throughline.placement.v1 import placement_pb2, placement_pb2_grpc
from throughline.review.v1 import review_pb2, review_pb2_grpc
from throughline.roster.v1 import roster_pb2, roster_pb2_grpc

import client
from failure import Failure
from sandbox import Sandbox

CATALOGUE = HERE.parent.parent / "ERRORS.md"
CONSUMERS = HERE.parent.parent / "consumers"
TODAY = date_pb2.Date(year=2026, month=11, day=20)
ANSWERED = "an answer"
STRANGER_ID = str(uuid.UUID(int=7))


class Caller:
    """One agency's services."""

    def __init__(self, server, certs, bearer):
        self.channel = client.connect(types.SimpleNamespace(server=server.address, certs=certs, bearer=bearer))
        self.history = history_pb2_grpc.HistoryServiceStub(self.channel).GetHistory
        feeds = feed_pb2_grpc.FeedServiceStub(self.channel)
        self.stream, self.ack = feeds.StreamFeed, feeds.AckFeed
        ledger = ledger_pb2_grpc.LedgerServiceStub(self.channel)
        self.checkpoint, self.include = ledger.GetCheckpoint, ledger.GetInclusionProof
        self.extend = ledger.GetConsistencyProof
        self.roster = roster_pb2_grpc.RosterServiceStub(self.channel).SubmitRoster
        self.review = review_pb2_grpc.ReviewServiceStub(self.channel)

    def feed(self, **fields):
        """A whole run; gives the messages."""
        return list(self.stream(feed_pb2.StreamFeedRequest(**fields)))


class Probe:
    """What was provoked, and what did not come as expected."""

    def __init__(self):
        self.seen, self.wrong = set(), []

    def __call__(self, method, expected, call):
        """Calls; `expected` is code and reason, as in `PERMISSION_DENIED NOT_AVAILABLE`."""
        try:
            call()
            came = ANSWERED
        except grpc.RpcError as error:
            failure = Failure(error)
            came = f"{failure.code.name} {failure.reason}".strip()
        self.seen.add((method, came))
        if came != expected:
            self.wrong.append(f"{method}: {came} instead of {expected}")


def history(person, **fields):
    return history_pb2.GetHistoryRequest(person_id=person, **fields)


def ordinary(probe, sandbox, server):
    """What comes of requests alone."""
    cssd, dcf, sea = (Caller(server, sandbox.certs, name) for name in ("cssd", "dcf", "sea"))
    known = sandbox.client("cssd_pre_adjudication", "cssd")
    invalid, withheld = "INVALID_ARGUMENT INVALID_FIELD", "PERMISSION_DENIED NOT_AVAILABLE"

    get = "HistoryService.GetHistory"
    probe(get, invalid, lambda: cssd.history(history("")))
    probe(get, invalid, lambda: cssd.history(history(known, request_id="no uuid")))
    probe(get, "PERMISSION_DENIED PURPOSE_NOT_AGREED", lambda: cssd.history(history(known, purpose="curiosity")))
    for case, agency in [
        ("cssd_ended", "cssd"),
        ("cssd_adjudicated_without_basis", "cssd"),
        ("turns_18", "education_unit"),
        ("education_unit_expired", "education_unit"),
        ("sealed_record", "dcf"),
    ]:
        person = sandbox.client(case, agency)
        probe(get, withheld, lambda: Caller(server, sandbox.certs, agency).history(history(person)))
    probe(get, withheld, lambda: cssd.history(history(sandbox.client("dcf_in_care", "dcf"))))
    probe(get, withheld, lambda: cssd.history(history("nobody")))
    probe(get, "OUT_OF_RANGE", lambda: cssd.history(history("1" * 100_000)))
    malformed = cssd.channel.unary_unary("/throughline.history.v1.HistoryService/GetHistory", request_serializer=None)
    probe(get, "INTERNAL", lambda: malformed(b"\xff"))

    stream, ack = "FeedService.StreamFeed", "FeedService.AckFeed"
    probe(stream, invalid, lambda: cssd.feed(resume_token=b"no token"))
    probe(stream, "PERMISSION_DENIED PURPOSE_NOT_AGREED", lambda: cssd.feed(purpose="curiosity"))
    probe(stream, "FAILED_PRECONDITION OWN_EXPORT", sea.feed)
    token = cssd.feed()[0].resume_token
    probe(stream, invalid, lambda: cssd.feed(resume_token=token, office="103"))
    probe(stream, invalid, lambda: dcf.feed(resume_token=token))
    ended = cssd.feed()[-1].resume_token
    cssd.feed()
    probe(stream, "FAILED_PRECONDITION RUN_SUPERSEDED", lambda: cssd.feed(resume_token=ended))
    nowhere = {"office": "nowhere", "purpose": "curiosity"}
    probe(stream, "PERMISSION_DENIED PURPOSE_NOT_AGREED", lambda: cssd.feed(**nowhere))
    probe(ack, invalid, lambda: dcf.ack(feed_pb2.AckFeedRequest(resume_token=token)))

    include, extend = "LedgerService.GetInclusionProof", "LedgerService.GetConsistencyProof"
    made = cssd.history(history(known)).history.disclosure_id
    ask = ledger_pb2.GetInclusionProofRequest
    probe(include, "FAILED_PRECONDITION NOT_YET", lambda: cssd.include(ask(disclosure_id=made)))
    probe(include, invalid, lambda: cssd.include(ask()))
    probe(include, withheld, lambda: cssd.include(ask(disclosure_id=STRANGER_ID)))
    probe(include, withheld, lambda: dcf.include(ask(disclosure_id=made)))
    grow = ledger_pb2.GetConsistencyProofRequest
    probe(extend, invalid, lambda: cssd.extend(grow(old_size=-1)))
    probe(extend, invalid, lambda: cssd.extend(grow(old_size=0)))
    probe(extend, "NOT_FOUND NOT_FOUND", lambda: cssd.extend(grow(old_size=1, new_size=10**12)))

    roster, submit = "RosterService.SubmitRoster", roster_pb2.SubmitRosterRequest
    probe(roster, "FAILED_PRECONDITION NO_ROSTER_LAYOUT", lambda: sea.roster(submit(content=b"x", roster_date=TODAY)))
    probe(roster, invalid, lambda: cssd.roster(submit(roster_date=TODAY)))
    probe(roster, invalid, lambda: cssd.roster(submit(content=b"x")))

    notices = placement_pb2_grpc.PlacementServiceStub(cssd.channel).ListNotices
    probe("PlacementService", "UNIMPLEMENTED", lambda: notices(placement_pb2.ListNoticesRequest()))
    reviews(probe, cssd, sea)


def reviews(probe, cssd, sea):
    """What the SEA's own system is told, and what others are."""
    service, invalid, missing = "ReviewService", "INVALID_ARGUMENT INVALID_FIELD", "NOT_FOUND NOT_FOUND"
    by = {"steward": "sandbox_steward_1", "reason": "provoked"}
    probe(service, "PERMISSION_DENIED NOT_AVAILABLE", lambda: cssd.review.ListReviews(review_pb2.ListReviewsRequest()))
    for name in ("ListReviews", "GetReview", "DecideReview", "UndoReview", "RequestOverride", "ApproveOverride"):
        wrong = {"page_size": -1} if name == "ListReviews" else {"steward": "nobody"}
        request = getattr(review_pb2, f"{name}Request")(**wrong)
        probe(f"{service}.{name}", invalid, lambda: getattr(sea.review, name)(request))
    for name in ("ListAlikePairs", "DrawBulk", "ApplyBulk", "UndoBulk", "GetReviewStats"):
        wrong = {"ListAlikePairs": {"page_size": -1}, "GetReviewStats": {"day_count": -1}}.get(name, {"steward": "nobody"})
        request = getattr(review_pb2, f"{name}Request")(**wrong)
        probe(f"{service}.{name}", invalid, lambda: getattr(sea.review, name)(request))
    nobody = {"client_id": 10**9, **by}
    look = review_pb2.GetReviewRequest(client_id=10**9, steward=by["steward"])
    probe(f"{service}.GetReview", missing, lambda: sea.review.GetReview(look))
    decision = review_pb2.DecideReviewRequest(is_nobody=True, **nobody)
    probe(f"{service}.DecideReview", missing, lambda: sea.review.DecideReview(decision))
    probe(f"{service}.UndoReview", missing, lambda: sea.review.UndoReview(review_pb2.UndoReviewRequest(**nobody)))
    link = review_pb2.RequestOverrideRequest(student_id=STRANGER_ID, **nobody)
    probe(f"{service}.RequestOverride", missing, lambda: sea.review.RequestOverride(link))
    signature = {"override_id": STRANGER_ID, "steward": by["steward"], "signature": bytes(64)}
    approval = review_pb2.ApproveOverrideRequest(**signature)
    approval.given_time.GetCurrentTime()
    probe(f"{service}.ApproveOverride", missing, lambda: sea.review.ApproveOverride(approval))
    for name in ("GetBulk", "ApplyBulk", "UndoBulk"):
        fields = {"bulk_id": 10**9} if name == "GetBulk" else {"bulk_id": 10**9, **by}
        request = getattr(review_pb2, f"{name}Request")(**fields)
        probe(f"{service}.{name}", missing, lambda: getattr(sea.review, name)(request))
    draw = review_pb2.DrawBulkRequest(alike_id="none", outcome="OUTCOME_NON_MATCH", **by)
    probe(f"{service}.DrawBulk", missing, lambda: sea.review.DrawBulk(draw))
    queue = sea.review.ListReviews(review_pb2.ListReviewsRequest()).clients
    undecided = next(waiting.client_id for waiting in queue if not waiting.contested)
    undo = review_pb2.UndoReviewRequest(client_id=undecided, **by)
    probe(f"{service}.UndoReview", "ABORTED CONFLICT", lambda: sea.review.UndoReview(undo))
    link = review_pb2.DecideReviewRequest(client_id=undecided, is_student_id=STRANGER_ID, **by)
    probe(f"{service}.DecideReview", "FAILED_PRECONDITION NEEDS_MORE", lambda: sea.review.DecideReview(link))
    kinds = sea.review.ListAlikePairs(review_pb2.ListAlikePairsRequest()).kinds
    alone = next(kind for kind in kinds if not kind.HasField("sample_to_link_count"))
    draw = review_pb2.DrawBulkRequest(alike_id=alone.alike_id, outcome="OUTCOME_MATCH", **by)
    probe(f"{service}.DrawBulk", "FAILED_PRECONDITION NEEDS_MORE", lambda: sea.review.DrawBulk(draw))


def unlisted(probe, sandbox, folder):
    """A certificate that the authority signed and no agreement names, and one of another authority."""
    shutil.copytree(sandbox.certs, folder)
    openssl("req", "-x509", *NEW_KEY, folder / "own-ca.key", "-out", folder / "own-ca.pem", "-days", "2", "-subj", "/CN=own")
    openssl("req", *NEW_KEY, folder / "unlisted.key", "-out", folder / "unlisted.csr", "-subj", "/CN=unlisted")
    (folder / "names").write_text("subjectAltName=DNS:nobody.example.test\nextendedKeyUsage=clientAuth\n")
    authority = ["-CA", folder / "own-ca.pem", "-CAkey", folder / "own-ca.key", "-CAcreateserial", "-days", "2"]
    openssl("x509", "-req", "-in", folder / "unlisted.csr", *authority, "-extfile", folder / "names", "-out", folder / "unlisted.pem")
    with (folder / "client-ca.pem").open("ab") as trusted:
        trusted.write((folder / "own-ca.pem").read_bytes())
    # A sandbox makes its certificates anew where their sums are not as noted.
    sums = folder / "SHA256SUMS"
    known, changed = (hashlib.sha256((place / "client-ca.pem").read_bytes()).hexdigest() for place in (sandbox.certs, folder))
    sums.write_text(sums.read_text().replace(known, changed))
    with sandbox.serving(settings=f'certificates = "{folder}"') as server:
        unlisted = Caller(server, folder, "unlisted")
        probe("every method", "UNAUTHENTICATED UNKNOWN_CERTIFICATE", lambda: unlisted.history(history("1")))
        probe("every method", "UNAVAILABLE", lambda: Caller(server, folder, "stranger").history(history("1")))


NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout")


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def limits(probe, sandbox):
    """What comes of the server's limits, and of its end."""
    known = sandbox.client("cssd_pre_adjudication", "cssd")
    with sandbox.serving(limits="request_timeout_ms = 1") as server:
        cssd = Caller(server, sandbox.certs, "cssd")
        probe("HistoryService.GetHistory", "DEADLINE_EXCEEDED TOO_LATE", lambda: cssd.history(history(known)))
    with sandbox.serving(limits="history_bytes_max = 1000") as server:
        cssd = Caller(server, sandbox.certs, "cssd")
        probe("HistoryService.GetHistory", "FAILED_PRECONDITION HISTORY_TOO_LARGE", lambda: cssd.history(history(known)))
    with sandbox.serving(limits="feeds_per_consumer_max = 1\nchunk_clients = 1") as server:
        cssd = Caller(server, sandbox.certs, "cssd")
        streams = [cssd.stream(feed_pb2.StreamFeedRequest()) for _ in range(8)]
        probe("FeedService.StreamFeed", "UNAVAILABLE TOO_MANY_FEEDS", lambda: [list(one) for one in streams])
    with sandbox.serving(limits="chunk_clients = 1") as server:
        cssd = Caller(server, sandbox.certs, "cssd")
        stream = cssd.stream(feed_pb2.StreamFeedRequest())
        next(stream)
        threading.Timer(0.01, server.process.terminate).start()
        probe("FeedService.StreamFeed", "UNAVAILABLE STOPPING", lambda: list(stream))
    with sandbox.serving() as server:
        cssd = Caller(server, sandbox.certs, "cssd")
        cssd.checkpoint(ledger_pb2.GetCheckpointRequest())
        with database_away(sandbox):
            ask = ledger_pb2.GetCheckpointRequest()
            probe("every method", "UNAVAILABLE UNAVAILABLE", lambda: cssd.checkpoint(ask, timeout=60))


@contextlib.contextmanager
def database_away(sandbox):
    """Ends the sandbox's private database under the server."""
    found = next((sandbox.data / "pg").rglob("postmaster.pid"))
    subprocess.run(["kill", "-INT", found.read_text().splitlines()[0]], check=True)
    while found.exists():
        time.sleep(0.05)
    yield


def agreements(probe, sandbox, folder):
    """What comes of an agreement that changes while feeds run."""
    folder.mkdir()
    document = (CONSUMERS / "cssd" / "agreement.toml").read_text()
    known = sandbox.client("cssd_pre_adjudication", "cssd")
    get, stream = "HistoryService.GetHistory", "FeedService.StreamFeed"
    versions = [
        ('offices = "all"', 'offices = ["101"]', stream, "OFFICE_NOT_AGREED", {"office": "103"}),
        ('["unary", "stream", "file", "pdf"]', '["file"]', stream, "DELIVERY_NOT_AGREED", {}),
        ("cssd.consumers.throughline.test", "another.consumers.throughline.test", get, "SYSTEM_NOT_AGREED", {}),
        ('purposes = "all"\nbases', 'purposes = ["service_planning"]\nbases', get, "NO_ELEMENT_FOR_THIS_PURPOSE", {"purpose": "other"}),
        ("valid_to = 2031-06-30", "valid_to = 2020-06-30", get, "AGREEMENT_EXPIRED", {}),
    ]
    with sandbox.serving() as server:
        cssd = Caller(server, sandbox.certs, "cssd")
        token = cssd.feed()[0].resume_token
        for number, (old, new, method, reason, fields) in enumerate(versions, start=2):
            text = document.replace("version = 1", f"version = {number}", 1).replace(old, new)
            if "purpose" in fields:
                text = text.replace("[[basis]]", '[[purpose]]\nid = "other"\ntext = "Another"\n\n[[basis]]', 1)
            for amended in range(2, number + 1):
                text += f'\n[[amendment]]\nversion = {amended}\non = 2026-11-20\ntext = "Provoked."\n'
            draft = folder / f"{number}.toml"
            draft.write_text(text)
            sandbox.on_data("agreement", "activate", str(draft))
            if number == 2:
                probe(stream, "FAILED_PRECONDITION GRANT_CHANGED", lambda: cssd.feed(resume_token=token))
            call = (lambda: cssd.history(history(known, **fields))) if method == get else (lambda: cssd.feed(**fields))
            probe(method, f"PERMISSION_DENIED {reason}", call)
        sandbox.on_data("agreement", "suspend", "cssd_agreement", "--by", "sandbox_steward_1", "--reason", "provoked")
        probe(get, "PERMISSION_DENIED AGREEMENT_SUSPENDED", lambda: cssd.history(history(known)))
        probe(stream, "PERMISSION_DENIED AGREEMENT_SUSPENDED", cssd.feed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, help="the program `throughline`")
    parser.add_argument("--world", required=True, type=pathlib.Path, help="a folder that is made")
    options = parser.parse_args()
    probe, sandbox = Probe(), Sandbox(options.program, options.world / "sandbox")
    with sandbox.serving() as server:
        ordinary(probe, sandbox, server)
    unlisted(probe, sandbox, options.world / "certs")
    limits(probe, sandbox)
    agreements(probe, sandbox, options.world / "drafts")

    listed = set(re.findall(r"^\| `([A-Z_]+)` \| `([A-Z_]+)`", CATALOGUE.read_text(), re.M))
    came = {tuple(reversed(said.split(" "))) for _, said in probe.seen if " " in said and said != ANSWERED}
    for method, said in sorted(probe.seen):
        print(f"{method}: {said}")
    for reason, code in sorted(listed - came):
        print(f"not provoked: {reason} ({code})")
    probe.wrong += [f"not in the catalogue: {reason} ({code})" for reason, code in sorted(came - listed)]
    for line in probe.wrong:
        print(line, file=sys.stderr)
    return 1 if probe.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
