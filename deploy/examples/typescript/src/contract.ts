// The contract as TypeScript sees it: messages and methods read from the .proto files, types generated from the same files.

import { fileURLToPath } from "node:url";
import * as grpc from "@grpc/grpc-js";
import * as loader from "@grpc/proto-loader";
import type { ProtoGrpcType as DetailsFile } from "./contract/error_details.js";
import type { FeedServiceDefinition } from "./contract/throughline/feed/v1/FeedService.js";
import type { HistoryServiceDefinition } from "./contract/throughline/history/v1/HistoryService.js";
import type { LedgerServiceDefinition } from "./contract/throughline/ledger/v1/LedgerService.js";
import type { RosterServiceDefinition } from "./contract/throughline/roster/v1/RosterService.js";
import type { ProtoGrpcType as StatusFile } from "./contract/status.js";

const folder = fileURLToPath(new URL("../../../../proto", import.meta.url));
const files = ["feed", "history", "ledger", "roster"].map((area) => `throughline/${area}/v1/${area}.proto`);
const loaded = loader.loadSync([...files, "google/rpc/status.proto", "google/rpc/error_details.proto"], {
  includeDirs: [folder],
  keepCase: true,
  longs: String,
  enums: String,
});

function named<T>(name: string): T {
  const found = loaded[name];
  if (found === undefined) {
    throw new Error(`the contract has no ${name}`);
  }
  // The generated types are of the same files.
  return found as unknown as T;
}

export const Feed = named<FeedServiceDefinition>("throughline.feed.v1.FeedService");
export const History = named<HistoryServiceDefinition>("throughline.history.v1.HistoryService");
export const Ledger = named<LedgerServiceDefinition>("throughline.ledger.v1.LedgerService");
export const Roster = named<RosterServiceDefinition>("throughline.roster.v1.RosterService");
export const Status = named<StatusFile["google"]["rpc"]["Status"]>("google.rpc.Status");
export const ErrorInfo = named<DetailsFile["google"]["rpc"]["ErrorInfo"]>("google.rpc.ErrorInfo");
export const RetryInfo = named<DetailsFile["google"]["rpc"]["RetryInfo"]>("google.rpc.RetryInfo");
export const BadRequest = named<DetailsFile["google"]["rpc"]["BadRequest"]>("google.rpc.BadRequest");

/** A method with one answer. */
export interface Unary<Q, A> {
  path: string;
  requestSerialize: (request: Q) => Buffer;
  responseDeserialize: (bytes: Buffer) => A;
}

/** Calls a method with one answer. */
export function call<Q, A>(client: grpc.Client, method: Unary<Q, A>, request: Q, secondsMax: number): Promise<A> {
  return new Promise((resolve, reject) => {
    const { path, requestSerialize, responseDeserialize } = method;
    const options = { deadline: Date.now() + secondsMax * 1000 };
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, options, (error, answer) => {
      if (error !== null) {
        reject(error);
      } else {
        // Cannot be absent: it is what came instead of an error.
        resolve(answer as A);
      }
    });
  });
}

/** A message as other languages print it: instants as text. */
export function plain(message: unknown): unknown {
  if (Array.isArray(message)) {
    return message.map(plain);
  }
  if (typeof message !== "object" || message === null) {
    return message;
  }
  const entries = Object.entries(message).filter(([, value]) => !Array.isArray(value) || value.length > 0);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, name.endsWith("_time") && typeof value === "object" ? instant(value) : plain(value)]),
  );
}

/** RFC 3339 of a google.protobuf.Timestamp, with as many digits as it needs: none, three, six or nine. */
function instant({ seconds = "0", nanos = 0 }: { seconds?: string; nanos?: number }): string {
  const whole = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  const digits = String(nanos).padStart(9, "0").replace(/(000)+$/, "");
  return `${whole}${digits === "" ? "" : `.${digits}`}Z`;
}
