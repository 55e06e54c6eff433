"""What the exchange says when it does not answer: a code, a reason that programs read, and words (deploy/ERRORS.md)."""

import grpc
from google.rpc import error_details_pb2, status_pb2

# Of these it is a matter of time.
PASSING = {"UNAVAILABLE", "STOPPING", "TOO_MANY_FEEDS", "TOO_LATE"}
# Without a reason it was not the exchange that spoke, but the way to it: a connection that broke, a proxy, the library.
CUT = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}
# What a resume token is bound to: a run that began otherwise cannot be gone on with.
BOUND = {"resume_token", "office", "purpose"}


class Failure:
    """Read from the trailer `grpc-status-details-bin`, a google.rpc.Status."""

    def __init__(self, error):
        self.code, self.words = error.code(), error.details()
        self.reason, self.incident, self.retry_after, self.fields = "", "", 0.0, []
        trailer = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
        for detail in status_pb2.Status.FromString(trailer).details:
            if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
                info = error_details_pb2.ErrorInfo.FromString(detail.value)
                self.reason, self.incident = info.reason, info.metadata.get("incident", "")
            elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
                delay = error_details_pb2.RetryInfo.FromString(detail.value).retry_delay
                self.retry_after = delay.ToMilliseconds() / 1000
            elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
                bad = error_details_pb2.BadRequest.FromString(detail.value)
                self.fields = [violation.field for violation in bad.field_violations]

    def passes(self):
        """Whether the same call may be answered later."""
        return self.reason in PASSING if self.reason else self.code in CUT

    def ends_the_run(self):
        """Whether a feed that goes on with a token has to begin anew: what the run rested on has changed, as the agreement may, or the
        token is for another feed than the one asked for."""
        return self.code == grpc.StatusCode.FAILED_PRECONDITION or not BOUND.isdisjoint(self.fields)

    def __str__(self):
        return " ".join(filter(None, [self.code.name, self.reason])) + f": {self.words}"
