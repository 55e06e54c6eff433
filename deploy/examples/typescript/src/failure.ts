// What the exchange says when it does not answer: a code, a reason that programs read, and words (deploy/ERRORS.md).

import * as grpc from "@grpc/grpc-js";
import { BadRequest, ErrorInfo, RetryInfo, Status } from "./contract.js";

/** Of these it is a matter of time. */
const PASSING = new Set(["UNAVAILABLE", "STOPPING", "TOO_MANY_FEEDS", "TOO_LATE"]);
/** Without a reason it was not the exchange that spoke, but the way to it: a connection that broke, a proxy, the library. */
const CUT = new Set<grpc.status>([
  grpc.status.UNAVAILABLE,
  grpc.status.CANCELLED,
  grpc.status.INTERNAL,
  grpc.status.UNKNOWN,
  grpc.status.DEADLINE_EXCEEDED,
]);
/** What a resume token is bound to: a run that began otherwise cannot be gone on with. */
const BOUND = new Set(["resume_token", "office", "purpose"]);

/** Something that the exchange said does not hold. */
export class NotVerified extends Error {}

/** Read from the trailer `grpc-status-details-bin`, a google.rpc.Status. */
export class Failure {
  readonly code: grpc.status;
  readonly words: string;
  readonly reason: string = "";
  readonly incident: string = "";
  readonly retryAfterMs: number = 0;
  readonly fields: string[] = [];

  constructor(error: grpc.ServiceError) {
    this.code = error.code;
    this.words = error.details;
    const [trailer] = error.metadata?.get("grpc-status-details-bin") ?? [];
    if (!Buffer.isBuffer(trailer)) {
      return;
    }
    for (const { type_url: type = "", value = Buffer.alloc(0) } of Status.deserialize(trailer).details ?? []) {
      if (type.endsWith("/google.rpc.ErrorInfo")) {
        const info = ErrorInfo.deserialize(value);
        this.reason = info.reason ?? "";
        this.incident = info.metadata?.["incident"] ?? "";
      } else if (type.endsWith("/google.rpc.RetryInfo")) {
        const { seconds = "0", nanos = 0 } = RetryInfo.deserialize(value).retry_delay ?? {};
        this.retryAfterMs = Number(seconds) * 1000 + nanos / 1e6;
      } else if (type.endsWith("/google.rpc.BadRequest")) {
        this.fields = (BadRequest.deserialize(value).field_violations ?? []).map((one) => one.field ?? "");
      }
    }
  }

  /** Whether the same call may be answered later. */
  passes(): boolean {
    return this.reason === "" ? CUT.has(this.code) : PASSING.has(this.reason);
  }

  /**
   * Whether a feed that goes on with a token has to begin anew: what the run rested on has changed, as the agreement may, or the token is for
   * another feed than the one asked for.
   */
  endsTheRun(): boolean {
    return this.code === grpc.status.FAILED_PRECONDITION || this.fields.some((field) => BOUND.has(field));
  }

  toString(): string {
    return `${[grpc.status[this.code], this.reason].filter((word) => word !== "").join(" ")}: ${this.words}`;
  }
}

/** Whether an error came with a gRPC status. */
export function isServiceError(error: unknown): error is grpc.ServiceError {
  return error instanceof Error && "code" in error && "details" in error && typeof error.code === "number";
}
