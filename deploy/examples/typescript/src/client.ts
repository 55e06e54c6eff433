#!/usr/bin/env node
// Sends rosters to the exchange, and reads histories, feeds and proofs from it. See README.md.

import { randomUUID } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createSecureContext } from "node:tls";
import { parseArgs } from "node:util";
import * as grpc from "@grpc/grpc-js";
import { call, Feed, History, Ledger, plain, Roster } from "./contract.js";
import type { RunEnd__Output } from "./contract/throughline/feed/v1/RunEnd.js";
import { Failure, isServiceError, NotVerified } from "./failure.js";
import { checkConsistency, checkEntry, type Head, readCheckpoint, rootFromInclusion } from "./ledger.js";
import { Received } from "./received.js";

const MESSAGE_BYTES_MAX = 32 * 1024 * 1024;
const ACKNOWLEDGE_EVERY = 500;
const ATTEMPTS_MAX = 8;
const PAUSE_MS_MAX = 10_000;
const ANSWER_SECONDS_MAX = 60;
const ROSTER_SECONDS_MAX = 600;

const USAGE = `client [--server HOST:PORT] --certs FOLDER --as NAME COMMAND

  roster FILE --date YYYY-MM-DD                      send the list of the caller's clients
  history PERSON_ID [--purpose CODE] [--as-of TIME] [--on-behalf-of WHO] [--save FILE]
  feed --to FILE [--office OFFICE] [--purpose CODE]  the whole population as NDJSON, resumable
  checkpoint --keep FILE [--log-key KEY]             keep the ledger's newest checkpoint
  prove DISCLOSURE_ID [--message FILE] [--checkpoint FILE] [--log-key KEY]`;

const OPTIONS = {
  server: { type: "string", default: "localhost:50051" },
  certs: { type: "string" },
  as: { type: "string" },
  date: { type: "string" },
  purpose: { type: "string", default: "" },
  "as-of": { type: "string" },
  "on-behalf-of": { type: "string", default: "" },
  save: { type: "string" },
  to: { type: "string" },
  office: { type: "string", default: "" },
  keep: { type: "string" },
  "log-key": { type: "string" },
  message: { type: "string" },
  checkpoint: { type: "string" },
} as const;

/** The command line cannot be meant. */
class Usage extends Error {}

type Options = ReturnType<typeof readArguments>;

function readArguments() {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  const [command = "", subject] = positionals;
  return { ...values, command, subject };
}

function needed(value: string | undefined, what: string): string {
  if (value === undefined) {
    throw new Usage(`${what} is missing`);
  }
  return value;
}

/** A channel whose caller is the bearer of a certificate. */
function connect(options: Options): grpc.Client {
  const certs = needed(options.certs, "--certs");
  const bearer = needed(options.as, "--as");
  const read = (name: string) => fs.readFileSync(path.join(certs, name));
  const secure = createSecureContext({
    ca: read("ca.pem"),
    key: read(`${bearer}.key`),
    cert: read(`${bearer}.pem`),
    minVersion: "TLSv1.3",
  });
  return new grpc.Client(options.server, grpc.credentials.createFromSecureContext(secure), {
    "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
    "grpc.keepalive_time_ms": 60_000,
  });
}

/** RFC 3339 as a google.protobuf.Timestamp. */
function timestamp(text: string): { seconds: string; nanos: number } {
  const read = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  const milliseconds = read === null ? Number.NaN : Date.parse(`${read[1]}${read[3]}`);
  if (read === null || Number.isNaN(milliseconds)) {
    throw new Usage(`no instant (RFC 3339): ${text}`);
  }
  return { seconds: String(milliseconds / 1000), nanos: Number((read[2] ?? "").padEnd(9, "0")) };
}

// ---- rosters --------------------------------------------------------------------------------------------------------

/** Sends the list of the caller's clients, in the agency's own columns, and prints the receipt. */
async function roster(client: grpc.Client, options: Options): Promise<number> {
  const [year = 0, month = 0, day = 0] = needed(options.date, "--date").split("-").map(Number);
  const content = fs.readFileSync(needed(options.subject, "the file"));
  const request = { content, roster_date: { year, month, day }, request_id: randomUUID() };
  const receipt = await call(client, Roster.SubmitRoster, request, ROSTER_SECONDS_MAX);
  console.log(JSON.stringify(plain(receipt)));
  return receipt.refused_reason === undefined ? 0 : 1;
}

// ---- one history ----------------------------------------------------------------------------------------------------

/** Prints one client's history; keeps the very bytes of the answer if asked to. */
async function history(client: grpc.Client, options: Options): Promise<number> {
  const request = {
    person_id: needed(options.subject, "the client's id"),
    purpose: options.purpose,
    on_behalf_of: options["on-behalf-of"],
    request_id: randomUUID(),
    as_of_time: options["as-of"] === undefined ? null : timestamp(options["as-of"]),
  };
  // The answer's bytes are what the ledger holds the digest of, so they are taken as they come.
  const asBytes = { ...History.GetHistory, responseDeserialize: (bytes: Buffer) => bytes };
  const answer = await call(client, asBytes, request, ANSWER_SECONDS_MAX);
  if (options.save !== undefined) {
    fs.writeFileSync(options.save, answer);
  }
  console.log(JSON.stringify(plain(History.GetHistory.responseDeserialize(answer).history)));
  return 0;
}

// ---- a feed ---------------------------------------------------------------------------------------------------------

/** Keeps the caller's population as a file; goes on where it was cut. */
async function feed(client: grpc.Client, options: Options): Promise<number> {
  const target = needed(options.to, "--to");
  const received = new Received(target);
  for (let attempt = 0; ; ) {
    const before = received.position;
    try {
      const { end, token } = await receive(client, received, options);
      received.finish(end, token);
      await acknowledge(client, token);
      const { histories = "0", withdrawals = "0", digest } = end;
      console.log(`${histories} histories and ${withdrawals} withdrawals in ${target}, digest ${digest}`);
      for (const person of received.omitted) {
        console.error(`${person}: too large to be sent; what is held of this client is not the present state`);
      }
      return 0;
    } catch (error) {
      if (!isServiceError(error)) {
        throw error;
      }
      const failure = new Failure(error);
      received.sync();
      attempt = received.position > before ? 0 : attempt + 1;
      const anew = failure.endsTheRun() && received.token.length > 0;
      if ((!anew && !failure.passes()) || attempt === ATTEMPTS_MAX) {
        throw error;
      }
      if (anew) {
        // What was received and what would come are not one feed.
        received.restart();
      }
      await sleep(Math.max(failure.retryAfterMs, Math.min(250 * 2 ** attempt, PAUSE_MS_MAX)));
    }
  }
}

async function receive(client: grpc.Client, received: Received, options: Options): Promise<{ end: RunEnd__Output; token: Buffer }> {
  const { path: method, requestSerialize, responseDeserialize } = Feed.StreamFeed;
  const request = { office: options.office, purpose: options.purpose, resume_token: received.token };
  const stream = client.makeServerStreamRequest(method, requestSerialize, responseDeserialize, request);
  try {
    for await (const message of stream as AsyncIterable<ReturnType<typeof responseDeserialize>>) {
      if (message.run_end !== undefined) {
        return { end: message.run_end, token: message.resume_token ?? Buffer.alloc(0) };
      }
      if (message.heartbeat === undefined) {
        received.add(message);
        if (received.position % ACKNOWLEDGE_EVERY === 0) {
          received.sync();
          await acknowledge(client, received.token);
        }
      }
    }
  } finally {
    stream.cancel();
  }
  throw new NotVerified("the feed ended without saying that it is complete");
}

/** Only what is stored durably is acknowledged. */
async function acknowledge(client: grpc.Client, token: Buffer): Promise<void> {
  await call(client, Feed.AckFeed, { resume_token: token, request_id: randomUUID() }, ANSWER_SECONDS_MAX);
}

// ---- the ledger -----------------------------------------------------------------------------------------------------

/** Whether the ledger as it is now extends the one kept. */
async function checkGrowth(client: grpc.Client, kept: Head, now: Head): Promise<void> {
  if (now.size < kept.size) {
    throw new NotVerified(`the log does not extend the checkpoint kept: it has shrunk from ${kept.size} to ${now.size} entries`);
  }
  let hashes: Buffer[] = [];
  if (0n < kept.size && kept.size < now.size) {
    const request = { old_size: String(kept.size), new_size: String(now.size) };
    hashes = (await call(client, Ledger.GetConsistencyProof, request, ANSWER_SECONDS_MAX)).hashes ?? [];
  }
  if (kept.size > 0n) {
    checkConsistency(kept, now, hashes);
  }
}

/** Keeps the newest checkpoint, if it extends the one kept. */
async function checkpoint(client: grpc.Client, options: Options): Promise<number> {
  const file = needed(options.keep, "--keep");
  const { checkpoint: note = "" } = await call(client, Ledger.GetCheckpoint, {}, ANSWER_SECONDS_MAX);
  const now = readCheckpoint(note, options["log-key"]);
  if (fs.existsSync(file)) {
    const kept = readCheckpoint(fs.readFileSync(file, "utf8"), options["log-key"]);
    await checkGrowth(client, kept, now);
    console.log(`the ledger has grown from ${kept.size} to ${now.size} entries; nothing before was changed`);
  } else {
    console.log(`the ledger has ${now.size} entries`);
  }
  fs.writeFileSync(`${file}.part`, note);
  fs.renameSync(`${file}.part`, file);
  return 0;
}

/** Shows that a disclosure is in the ledger, and that exactly these bytes were recorded. */
async function prove(client: grpc.Client, options: Options): Promise<number> {
  const id = needed(options.subject, "the disclosure's id");
  const proof = await call(client, Ledger.GetInclusionProof, { disclosure_id: id }, ANSWER_SECONDS_MAX);
  const now = readCheckpoint(proof.checkpoint ?? "", options["log-key"]);
  if (now.size !== BigInt(proof.tree_size ?? 0)) {
    throw new NotVerified("the checkpoint is that of another size");
  }
  const [index, leaf] = [BigInt(proof.leaf_index ?? 0), proof.leaf_hash ?? Buffer.alloc(0)];
  if (!rootFromInclusion(index, now.size, leaf, proof.hashes ?? []).equals(now.root)) {
    throw new NotVerified("the path does not lead to the checkpoint");
  }
  checkEntry(proof.proof ?? "", leaf, id, options.message === undefined ? undefined : fs.readFileSync(options.message));
  let said = `entry ${index} of ${now.size}`;
  if (options.message !== undefined) {
    said += ", with exactly these bytes";
  }
  if (options.checkpoint !== undefined) {
    const kept = readCheckpoint(fs.readFileSync(options.checkpoint, "utf8"), options["log-key"]);
    await checkGrowth(client, kept, now);
    said += ", in a ledger that extends the checkpoint kept";
  }
  console.log(said);
  return 0;
}

// ---- the command line -----------------------------------------------------------------------------------------------

const COMMANDS = new Map([
  ["roster", roster],
  ["history", history],
  ["feed", feed],
  ["checkpoint", checkpoint],
  ["prove", prove],
]);

/** Whether `parseArgs` refuses the command line. */
function isParseError(error: unknown): error is Error {
  return error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
}

async function run(): Promise<number> {
  const options = readArguments();
  const command = COMMANDS.get(options.command);
  if (command === undefined) {
    throw new Usage("a command is missing");
  }
  // What is written here is about children: nobody else on this machine reads it.
  process.umask(0o077);
  const client = connect(options);
  try {
    return await command(client, options);
  } finally {
    client.close();
  }
}

try {
  process.exitCode = await run();
} catch (error) {
  if (isServiceError(error)) {
    console.error(String(new Failure(error)));
    process.exitCode = 1;
  } else if (error instanceof NotVerified) {
    console.error(`does not verify: ${error.message}`);
    process.exitCode = 3;
  } else if (error instanceof Usage || isParseError(error)) {
    console.error(`${error.message}\n\n${USAGE}`);
    process.exitCode = 2;
  } else {
    throw error;
  }
}
