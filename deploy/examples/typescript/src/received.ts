// What was received of a run of the feed, kept so that it can be cut anywhere and nothing is lost or applied twice.

import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { plain } from "./contract.js";
import type { DisclosedHistory__Output } from "./contract/throughline/history/v1/DisclosedHistory.js";
import type { RunEnd__Output } from "./contract/throughline/feed/v1/RunEnd.js";
import type { Withdrawal__Output } from "./contract/throughline/feed/v1/Withdrawal.js";
import type { StreamFeedResponse__Output } from "./contract/throughline/feed/v1/StreamFeedResponse.js";
import { NotVerified } from "./failure.js";

const CHUNK_BYTES = 1024 * 1024;
const NEW_LINE = 0x0a;

/** A line of the file: one event and the token to go on behind it. */
interface Line {
  position: number;
  resume_token: string;
  history?: Pick<DisclosedHistory__Output, "person_id" | "content_digest">;
  withdrawal?: Pick<Withdrawal__Output, "person_id" | "reason" | "destroy_by_date">;
  omission?: { person_id?: string };
}

/**
 * A file of lines beside the target, in the order of positions.
 *
 * An event and its token are one line, so that a kill leaves both or neither; a line that was cut, and all behind it, comes again. The
 * target is written when the run is complete, and takes the place of the one before in one step. Then, and not before, the run's last token
 * is kept beside it: the next run begins there, and sends only what changed. A kill between the two costs a whole run and nothing else.
 */
export class Received {
  token = Buffer.alloc(0);
  position = 0;
  private histories = 0;
  private withdrawals: Line["withdrawal"][] = [];
  /** Whose histories were too large to be sent. */
  readonly omitted: string[] = [];
  private digest = Buffer.alloc(32);
  /** Where each person's line begins and how long it is; of whoever was withdrawn: nowhere. */
  private places = new Map<string, { at: number; bytes: number } | undefined>();
  private end = 0;
  private file = -1;
  private readonly part: string;
  private readonly last: string;

  constructor(private readonly target: string) {
    this.part = `${target}.part`;
    this.last = `${target}.token`;
    this.open();
  }

  /** Takes up what was received. */
  private open(): void {
    if (fs.existsSync(this.target) && fs.existsSync(this.last)) {
      this.token = fs.readFileSync(this.last);
    }
    this.file = fs.openSync(this.part, fs.constants.O_RDWR | fs.constants.O_CREAT);
    for (const line of lines(this.file)) {
      try {
        this.count(JSON.parse(line.toString("utf8")) as Line, line.length + 1);
      } catch {
        break;
      }
    }
    fs.ftruncateSync(this.file, this.end);
  }

  /** Throws away what was received: a whole run begins. */
  restart(): void {
    fs.ftruncateSync(this.file, 0);
    this.token = Buffer.alloc(0);
    this.digest = Buffer.alloc(32);
    this.position = this.histories = this.end = 0;
    this.withdrawals = [];
    this.omitted.length = 0;
    this.places.clear();
  }

  /** Takes a line into account, whole or not at all. Of an event that is not known here only the position counts. */
  private count(line: Line, bytes: number): void {
    const token = Buffer.from(line.resume_token, "base64");
    if (line.position !== this.position + 1) {
      throw new NotVerified("a message of the run is missing, or came twice");
    }
    if (line.history !== undefined) {
      const { person_id: person = "", content_digest: content = "" } = line.history;
      this.chain(Buffer.from(content, "hex"));
      this.histories += 1;
      this.places.delete(person);
      this.places.set(person, { at: this.end, bytes });
    } else if (line.withdrawal !== undefined) {
      const { person_id: person = "", reason = "", destroy_by_date: date } = line.withdrawal;
      const day = [date?.year ?? 0, date?.month ?? 0, date?.day ?? 0].map((part, at) => String(part).padStart(at === 0 ? 4 : 2, "0"));
      this.chain(createHash("sha256").update(`${person}\n${reason}\n${day.join("-")}\n`).digest());
      this.places.set(person, undefined);
      this.withdrawals.push(line.withdrawal);
    } else if (line.omission !== undefined) {
      this.omitted.push(line.omission.person_id ?? "");
    }
    this.position = line.position;
    this.token = token;
    this.end += bytes;
  }

  private chain(content: Buffer): void {
    this.digest = createHash("sha256").update(this.digest).update(content).digest();
  }

  /** Stores an event. */
  add({ position, resume_token: token, ...event }: StreamFeedResponse__Output): void {
    const line = {
      position: Number(position),
      resume_token: (token ?? Buffer.alloc(0)).toString("base64"),
      ...(plain(event) as Pick<Line, "history" | "withdrawal">),
    };
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`, "utf8");
    const at = this.end;
    this.count(line, bytes.length);
    writeAll(this.file, bytes, at);
  }

  /** From here on it outlives a loss of power: it may be acknowledged. */
  sync(): void {
    fs.fsyncSync(this.file);
  }

  /** The run is complete: compares counts and digest, and gives the target its content. */
  finish(end: RunEnd__Output, token: Buffer): void {
    const said = [Number(end.histories ?? 0), Number(end.withdrawals ?? 0), Number(end.omitted ?? 0), end.digest];
    const have = [this.histories, this.withdrawals.length, this.omitted.length, this.digest.toString("hex")];
    if (said.join() !== have.join()) {
      this.restart(); // The next start begins a run of its own.
      throw new NotVerified("the run's counts or digest are not those of what was received");
    }
    this.sync();
    this.listWithdrawals();
    const out = fs.openSync(`${this.target}.new`, "w");
    let written = 0;
    const write = (line: string) => {
      const bytes = Buffer.from(`${line}\n`, "utf8");
      writeAll(out, bytes, written);
      written += bytes.length;
    };
    if (end.scope === "SCOPE_CHANGES") {
      const before = fs.openSync(this.target, "r");
      for (const line of lines(before)) {
        const text = line.toString("utf8");
        if (!this.places.has((JSON.parse(text) as { person_id: string }).person_id)) {
          write(text);
        }
      }
      fs.closeSync(before);
    }
    for (const place of this.places.values()) {
      if (place !== undefined) {
        const line = Buffer.alloc(place.bytes);
        fs.readSync(this.file, line, 0, place.bytes, place.at);
        write(JSON.stringify((JSON.parse(line.toString("utf8")) as Line).history));
      }
    }
    fs.fsyncSync(out);
    fs.closeSync(out);
    fs.renameSync(`${this.target}.new`, this.target);
    fs.writeFileSync(`${this.last}.new`, token);
    fs.renameSync(`${this.last}.new`, this.last);
    fs.closeSync(this.file);
    fs.unlinkSync(this.part);
  }

  /** What is to be destroyed elsewhere too is listed beside the target, each withdrawal once, until somebody has done it. */
  private listWithdrawals(): void {
    const listed = `${this.target}.withdrawals`;
    const before = fs.existsSync(listed) ? fs.readFileSync(listed, "utf8").split("\n").filter((line) => line !== "") : [];
    const all = new Set([...before, ...this.withdrawals.map((one) => JSON.stringify(one))]);
    if (all.size > 0) {
      fs.writeFileSync(`${listed}.new`, `${[...all].join("\n")}\n`);
      fs.renameSync(`${listed}.new`, listed);
    }
  }
}

/** The whole lines of a file, without their ends; what was cut is left out. */
function* lines(file: number): Generator<Buffer> {
  let rest = Buffer.alloc(0);
  for (let at = 0; ; ) {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    const read = fs.readSync(file, chunk, 0, CHUNK_BYTES, at);
    if (read === 0) {
      return;
    }
    at += read;
    rest = Buffer.concat([rest, chunk.subarray(0, read)]);
    let from = 0;
    for (let to = rest.indexOf(NEW_LINE); to >= 0; to = rest.indexOf(NEW_LINE, from)) {
      yield rest.subarray(from, to);
      from = to + 1;
    }
    rest = rest.subarray(from);
  }
}

/** Writes all of the bytes: one call may take a part only. */
function writeAll(file: number, bytes: Buffer, at: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += fs.writeSync(file, bytes, done, bytes.length - done, at + done);
  }
}
