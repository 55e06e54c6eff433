// What a recipient checks of the ledger for itself: RFC 6962 trees, C2SP checkpoints, and what an entry says of a disclosure.

import { createHash, createPublicKey, verify } from "node:crypto";
import { NotVerified } from "./failure.js";

const LEAF_PREFIX = Buffer.from("throughline-ledger/v1/leaf\n");
const CONTENT_PREFIX = Buffer.from("throughline-ledger/v1/content\n");
const DIGEST_BYTES = 32;
const ID_BYTES = 16;
const ENTRY_BYTES = LEAF_PREFIX.length + ID_BYTES + 3 * DIGEST_BYTES;
/** A C2SP key's first byte: Ed25519. */
const ED25519 = 1;

/** A tree of so many entries. */
export interface Head {
  size: bigint;
  root: Buffer;
}

function sha256(...parts: Uint8Array[]): Buffer {
  const hash = createHash("sha256");
  for (const part of parts) {
    hash.update(part);
  }
  return hash.digest();
}

function leafHash(leaf: Buffer): Buffer {
  return sha256(Buffer.of(0), leaf);
}

function nodeHash(left: Buffer, right: Buffer): Buffer {
  return sha256(Buffer.of(1), left, right);
}

/** The root to which an audit path leads (RFC 9162, 2.1.3.2). */
export function rootFromInclusion(index: bigint, size: bigint, leaf: Buffer, path: Buffer[]): Buffer {
  if (index < 0n || index >= size) {
    throw new NotVerified("the position lies outside the tree");
  }
  let [fn, sn, root] = [index, size - 1n, leaf];
  for (const sibling of path) {
    if (sn === 0n) {
      throw new NotVerified("the path is too long");
    }
    if ((fn & 1n) === 1n || fn === sn) {
      root = nodeHash(sibling, root);
      for (; (fn & 1n) === 0n && fn !== 0n; fn >>= 1n) {
        sn >>= 1n;
      }
    } else {
      root = nodeHash(root, sibling);
    }
    fn >>= 1n;
    sn >>= 1n;
  }
  if (sn !== 0n) {
    throw new NotVerified("the path is too short");
  }
  return root;
}

/** Whether the later tree extends the earlier one (RFC 9162, 2.1.4.2). */
export function checkConsistency(old: Head, later: Head, path: Buffer[]): void {
  if (old.size === later.size) {
    if (path.length > 0 || !old.root.equals(later.root)) {
      throw new NotVerified("one size has two roots: the ledger was rewritten");
    }
    return;
  }
  const isWhole = (old.size & (old.size - 1n)) === 0n;
  const [first, ...rest] = isWhole && path.length > 0 ? [old.root, ...path] : path;
  if (old.size <= 0n || old.size > later.size || first === undefined) {
    throw new NotVerified("the ledger has shrunk, or proves nothing");
  }
  let [fn, sn] = [old.size - 1n, later.size - 1n];
  for (; (fn & 1n) === 1n; fn >>= 1n) {
    sn >>= 1n;
  }
  let [before, after] = [first, first];
  for (const step of rest) {
    if (sn === 0n) {
      throw new NotVerified("the path is too long");
    }
    if ((fn & 1n) === 1n || fn === sn) {
      [before, after] = [nodeHash(step, before), nodeHash(step, after)];
      for (; (fn & 1n) === 0n && fn !== 0n; fn >>= 1n) {
        sn >>= 1n;
      }
    } else {
      after = nodeHash(after, step);
    }
    fn >>= 1n;
    sn >>= 1n;
  }
  if (!before.equals(old.root) || !after.equals(later.root) || sn !== 0n) {
    throw new NotVerified("the log does not extend the checkpoint kept: it was rewritten");
  }
}

/** Size and root of a checkpoint; with the ledger's key its signature is checked. */
export function readCheckpoint(note: string, logKey?: string): Head {
  const at = note.lastIndexOf("\n\n");
  const [origin, size, root] = note.slice(0, Math.max(at, 0)).split("\n");
  if (origin === undefined || size === undefined || root === undefined || !/^\d+$/.test(size)) {
    throw new NotVerified("this is no checkpoint");
  }
  if (logKey !== undefined) {
    checkSignature(note.slice(0, at + 1), note.slice(at + 2), origin, logKey);
  }
  return { size: BigInt(size), root: Buffer.from(root, "base64") };
}

function checkSignature(text: string, signatures: string, origin: string, logKey: string): void {
  const [name, keyId, ...encoded] = logKey.trim().split("+");
  const key = Buffer.from(encoded.join("+"), "base64");
  if (name !== origin || key[0] !== ED25519) {
    throw new NotVerified("the checkpoint is another ledger's");
  }
  const jwk = { kty: "OKP", crv: "Ed25519", x: key.subarray(1).toString("base64url") };
  const publicKey = createPublicKey({ key: jwk, format: "jwk" });
  const isSigned = signatures.split("\n").some((line) => {
    const [, signer, signature = ""] = line.split(" ");
    const blob = Buffer.from(signature, "base64");
    const isTheirs = signer === name && blob.subarray(0, 4).toString("hex") === keyId;
    return isTheirs && verify(null, Buffer.from(text), publicKey, blob.subarray(4));
  });
  if (!isSigned) {
    throw new NotVerified("the checkpoint is not signed with the ledger's key");
  }
}

/** Whether a proof is about this disclosure and, with its message, about exactly those bytes. */
export function checkEntry(proof: string, hash: Buffer, disclosure: string, message?: Buffer): void {
  const line = proof.split("\n").find((one) => one.startsWith("extra "));
  if (line === undefined) {
    throw new NotVerified("the proof says nothing of the entry");
  }
  const extra = Buffer.from(line.slice("extra ".length), "base64");
  const [leaf, salt] = [extra.subarray(0, ENTRY_BYTES), extra.subarray(ENTRY_BYTES)];
  const id = leaf.subarray(LEAF_PREFIX.length, LEAF_PREFIX.length + ID_BYTES).toString("hex");
  if (!leafHash(leaf).equals(hash) || id !== disclosure.replaceAll("-", "").toLowerCase()) {
    throw new NotVerified("the entry is another disclosure's");
  }
  if (message !== undefined && !sha256(CONTENT_PREFIX, salt, sha256(message)).equals(leaf.subarray(-DIGEST_BYTES))) {
    throw new NotVerified("other bytes than these were recorded");
  }
}
