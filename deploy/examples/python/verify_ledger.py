#!/usr/bin/env python3
"""Verifies an exported ledger without any of the exchange's own code.

The ledger is a Merkle tree (RFC 6962, section 2.1) published as tiles of 256 hashes and bundles of 256 entries (C2SP tlog-tiles) under a signed
head (C2SP signed note and tlog-checkpoint). This reads all of them from a folder or from a web server, hashes every entry again, and holds the
outcome against the head, and against a head that was kept from before, which witnesses may have to have cosigned (C2SP tlog-cosignature). A
document's proof (C2SP tlog-proof) is held against the same tree. An entry holds a random id and salted commitments, nothing personal.

Exit codes: 0 it verifies; 1 something could not be read; 2 wrong usage; 3 it does not verify.
"""

import argparse
import base64
import datetime
import hashlib
import pathlib
import sys
import urllib.error
import urllib.parse
import urllib.request
import uuid

TILE_WIDTH = 256
ENTRY_PREFIX = b"throughline-ledger/v1/leaf\n"
ENTRY_BYTES = len(ENTRY_PREFIX) + 16 + 3 * 32
CONTENT_PREFIX = b"throughline-ledger/v1/content\n"
PROOF_HEADER = "c2sp.org/tlog-proof@v1"
# What a key is for, as C2SP registers it.
LOG, WITNESS = 1, 4
# No tile or bundle is longer: 256 entries of 65,535 bytes behind their lengths.
FILE_BYTES_MAX = TILE_WIDTH * (2 + 65_535)
ANSWER_SECONDS_MAX = 30


class NotVerified(Exception):
    """What was published contradicts itself, its signature, or what was kept."""


# ---- reading ---------------------------------------------------------------------------------------------------------


class Folder:
    """Files below a folder."""

    def __init__(self, root):
        self.root = pathlib.Path(root)

    def read(self, path):
        with open(self.root / path, "rb") as file:
            return file.read(FILE_BYTES_MAX + 1)


class Web:
    """The same files by HTTPS GET."""

    def __init__(self, root):
        self.root = root.rstrip("/") + "/"

    def read(self, path):
        with urllib.request.urlopen(urllib.parse.urljoin(self.root, path), timeout=ANSWER_SECONDS_MAX) as answer:
            return answer.read(FILE_BYTES_MAX + 1)


def tile_path(level, index, width):
    """`tile/0/x001/x234/067.p/5`: three digits a folder, the last without x, a partial tile with its width."""
    parts = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        parts.insert(0, f"x{index % 1000:03}")
    partial = f".p/{width}" if width < TILE_WIDTH else ""
    return f"tile/{level}/{'/'.join(parts)}{partial}"


def widths(count):
    """The widths of the tiles that hold so many hashes."""
    whole, rest = divmod(count, TILE_WIDTH)
    return [TILE_WIDTH] * whole + ([rest] if rest else [])


def read_hashes(source, level, count):
    """All hashes of a level."""
    for index, width in enumerate(widths(count)):
        tile = source.read(tile_path(level, index, width))
        if len(tile) != width * 32:
            raise NotVerified(f"tile {index} of level {level} has not {width} hashes")
        yield from (tile[at : at + 32] for at in range(0, len(tile), 32))


def read_entries(source, count):
    """All entries, in their order."""
    for index, width in enumerate(widths(count)):
        bundle = source.read(tile_path("entries", index, width))
        at = 0
        for _ in range(width):
            length = int.from_bytes(bundle[at : at + 2], "big")
            entry = bundle[at + 2 : at + 2 + length]
            if length == 0 or len(entry) != length:
                raise NotVerified(f"bundle {index} of entries is cut")
            yield entry
            at += 2 + length
        if at != len(bundle):
            raise NotVerified(f"bundle {index} of entries holds more than {width} entries")


# ---- the head --------------------------------------------------------------------------------------------------------


KEY_CHANGES_MAX = 999


def read_keys(source, known):
    """The ledger's keys from one that is known, each with the greatest tree it may have signed: a key is believed if the one before named it."""
    keys, current = [], known.strip()
    for number in range(1, KEY_CHANGES_MAX + 1):
        try:
            note = source.read(f"keys/{number:03}").decode()
        except (FileNotFoundError, urllib.error.HTTPError) as missing:
            if getattr(missing, "code", 404) != 404:
                raise
            break
        following = next((line[9:] for line in note.splitlines() if line.startswith("next-key ")), None)
        if following is None or following == current:
            continue
        try:
            size, _ = read_head(note, [(current, None)])
        except NotVerified:
            continue  # a change before the known key
        read_head(note, [(following, None)])
        keys.append((current, size))
        current = following
    return [*keys, (current, None)]


def read_head(note, keys):
    """Size and root of a head that one of the keys signed, in its time."""
    text, separator, signatures = note.rpartition("\n\n")
    lines = (text + "\n").split("\n")[:-1]
    if not separator or len(lines) < 3 or not lines[1].isdigit():
        raise NotVerified("this is no checkpoint")
    size, why = int(lines[1]), NotVerified("the checkpoint is signed with no key of the ledger")
    for key, until in keys:
        try:
            check_signature(text + "\n", signatures, lines[0], key)
        except NotVerified as this:
            why = this
            continue
        if until is None or size <= until:
            return size, base64.b64decode(lines[2], validate=True)
        why = NotVerified("the checkpoint is signed with a key that was retired before")
    raise why


def read_key(key, kind):
    """Name, id and public key of a verifier key (C2SP vkey) of a kind."""
    name, key_id, encoded = key.strip().split("+", 2)
    public = base64.b64decode(encoded, validate=True)
    if hashlib.sha256(f"{name}\n".encode() + public).digest()[:4].hex() != key_id or public[0] != kind:
        raise NotVerified("the key is no Ed25519 verifier key for this, or its id is another's")
    return name, key_id, public[1:]


def signatures_of(signatures, name, key_id):
    """What a key of this name and id has put below a note."""
    for line in signatures.splitlines():
        dash, signer, encoded = (line.split(" ") + ["", ""])[:3]
        signature = base64.b64decode(encoded)
        if dash == "\u2014" and signer == name and signature[:4].hex() == key_id:
            yield signature[4:]


def is_signed(public, signature, message):
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        return True
    except InvalidSignature:
        return False


def check_signature(text, signatures, origin, key):
    name, key_id, public = read_key(key, LOG)
    if name != origin:
        raise NotVerified("the checkpoint is another ledger's")
    signature = next(signatures_of(signatures, name, key_id), None)
    if signature is None or not is_signed(public, signature, text.encode()):
        raise NotVerified("the checkpoint is not signed with the ledger's key")


def check_cosignature(note, key):
    """Whether a witness has cosigned a note; gives its name and the time that it states."""
    name, key_id, public = read_key(key, WITNESS)
    text, _, signatures = note.rpartition("\n\n")
    for stated in signatures_of(signatures, name, key_id):
        time = int.from_bytes(stated[:8], "big")
        if is_signed(public, stated[8:], f"cosignature/v1\ntime {time}\n{text}\n".encode()):
            return name, datetime.datetime.fromtimestamp(time, datetime.timezone.utc)
    raise NotVerified(f"the checkpoint kept is not cosigned by the witness {name}")


# ---- the tree --------------------------------------------------------------------------------------------------------


def leaf_hash(entry):
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """The roots of the whole subtrees so far, the largest first: all that is needed to go on."""

    def __init__(self):
        self.size = 0
        self.roots = []

    def push(self, leaf):
        self.roots.append(leaf)
        self.size += 1
        ones = self.size
        while ones & 1 == 0:
            right, left = self.roots.pop(), self.roots.pop()
            self.roots.append(node_hash(left, right))
            ones >>= 1

    def root(self):
        if not self.roots:
            return hashlib.sha256(b"").digest()
        whole = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            whole = node_hash(left, whole)
        return whole


def check_upper_levels(source, leaves):
    """Holds the tiles above the leaves against the leaves: a verifier that fetches only a path relies on them."""
    level = 0
    while len(leaves) >= TILE_WIDTH:
        roots = []
        for begin in range(0, len(leaves) - TILE_WIDTH + 1, TILE_WIDTH):
            tree = Tree()
            for leaf in leaves[begin : begin + TILE_WIDTH]:
                tree.push(leaf)
            roots.append(tree.root())
        level += 1
        for place, (found, expected) in enumerate(zip(read_hashes(source, level, len(roots)), roots, strict=True)):
            if found != expected:
                raise NotVerified(f"hash {place} of level {level} is not that of the hashes below it")
        leaves = roots


def root_from_inclusion(index, size, leaf, path):
    """The root to which a path leads from a leaf (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        raise NotVerified("the proof's position lies outside its tree")
    fn, sn, root = index, size - 1, leaf
    for sibling in path:
        if sn == 0:
            raise NotVerified("the proof is too long")
        if fn & 1 or fn == sn:
            root = node_hash(sibling, root)
            while fn & 1 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            root = node_hash(root, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise NotVerified("the proof is too short")
    return root


def read_proof(text, keys, document):
    """The place of the entry that a proof is of, and the signed head that it leads to; of exactly this document, if one is given."""
    above, separator, note = text.partition("\n\n")
    lines = above.split("\n")
    if not separator or len(lines) < 3 or lines[0] != PROOF_HEADER or not lines[1].startswith("extra ") or not lines[2].startswith("index "):
        raise NotVerified("this is no proof of a ledger's entry")
    extra, index = base64.b64decode(lines[1][6:], validate=True), int(lines[2][6:])
    leaf, salt = extra[:ENTRY_BYTES], extra[ENTRY_BYTES:]
    if document is not None and hashlib.sha256(CONTENT_PREFIX + salt + hashlib.sha256(document).digest()).digest() != leaf[-32:]:
        raise NotVerified("the document is not the one that was recorded")
    size, root = read_head(note, keys)
    path = [base64.b64decode(line, validate=True) for line in lines[3:]]
    if root_from_inclusion(index, size, leaf_hash(leaf), path) != root:
        raise NotVerified("the proof does not lead to its checkpoint")
    return index, leaf_hash(leaf), (size, root)


def verify(source, options):
    keys = read_keys(source, pathlib.Path(options.log_key).read_text())
    size, root = read_head(source.read("checkpoint").decode(), keys)
    heads = []
    if options.checkpoint:
        note = pathlib.Path(options.checkpoint).read_text()
        heads.append(read_head(note, keys))
        for witness in options.witness:
            name, time = check_cosignature(note, pathlib.Path(witness).read_text())
            print(f"{name} cosigned the checkpoint kept, by its own clock at {time.isoformat()}")
    proven = None
    if options.proof:
        document = pathlib.Path(options.document).read_bytes() if options.document else None
        *proven, head = read_proof(pathlib.Path(options.proof).read_text(), keys, document)
        heads.append(head)
    for covered, _ in heads:
        if covered > size:
            raise NotVerified(f"the ledger has shrunk: a checkpoint held covers {covered} entries, and only {size} are published")
    wanted = uuid.UUID(options.entry).bytes if options.entry else None
    tree, leaves, place = Tree(), [], None
    for entry, published in zip(read_entries(source, size), read_hashes(source, 0, size), strict=True):
        hold(tree, heads)
        if leaf_hash(entry) != published:
            raise NotVerified(f"entry {tree.size} is not the one that the tree holds")
        if proven and proven[0] == tree.size and proven[1] != published:
            raise NotVerified(f"entry {tree.size} is another than the proof's")
        if len(entry) == ENTRY_BYTES and entry.startswith(ENTRY_PREFIX) and entry[len(ENTRY_PREFIX) :][:16] == wanted:
            place = tree.size
        tree.push(published)
        leaves.append(published)
    if tree.root() != root:
        raise NotVerified("the entries do not lead to the signed checkpoint")
    hold(tree, heads)
    check_upper_levels(source, leaves)
    print(f"{size} entries lead to the signed checkpoint {root.hex()}")
    if options.checkpoint:
        print(f"the first {heads[0][0]} are those of the checkpoint kept")
    if proven:
        print(f"the proof is of entry {proven[0]}" + (" and of this very document" if options.document else ""))
    if wanted and place is None:
        raise NotVerified("no entry bears this id")
    if wanted:
        print(f"the entry is number {place}")


def hold(tree, heads):
    """Holds the tree so far against heads of its size that somebody kept."""
    for size, root in heads:
        if tree.size == size and tree.root() != root:
            raise NotVerified(f"the first {size} entries are not those of a checkpoint held: the ledger was rewritten, or shows different histories to different people")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("tiles", help="the folder that `throughline ledger export` wrote, or the URL it is served from")
    parser.add_argument("--log-key", required=True, help="file with the ledger's public key (C2SP vkey), kept from before")
    parser.add_argument("--checkpoint", help="file with a checkpoint kept from before")
    parser.add_argument("--witness", action="append", default=[], help="file with a witness's public key: it must have cosigned the checkpoint kept")
    parser.add_argument("--entry", help="a disclosure's id, as the document bears it")
    parser.add_argument("--proof", help="file with the proof that lies beside a document (`NAME.pdf.tlog-proof`)")
    parser.add_argument("--document", help="the document itself: the proof must be of exactly its bytes")
    options = parser.parse_args()
    if options.witness and not options.checkpoint or options.document and not options.proof:
        parser.error("--witness goes with --checkpoint, --document with --proof")
    is_web = options.tiles.startswith(("https://", "http://"))
    try:
        verify(Web(options.tiles) if is_web else Folder(options.tiles), options)
    except NotVerified as why:
        print(f"does not verify: {why}", file=sys.stderr)
        return 3
    except (OSError, urllib.error.URLError, ValueError) as why:
        print(f"cannot be read: {why}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
