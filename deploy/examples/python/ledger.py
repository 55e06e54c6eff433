"""What a recipient checks of the ledger for itself: RFC 6962 trees, C2SP checkpoints, and what an entry says of a disclosure."""

import base64
import hashlib
import uuid

from received import NotVerified

LEAF_PREFIX = b"throughline-ledger/v1/leaf\n"
CONTENT_PREFIX = b"throughline-ledger/v1/content\n"
DIGEST_BYTES = 32
ENTRY_BYTES = len(LEAF_PREFIX) + 16 + 3 * DIGEST_BYTES


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


def check_entry(proof, disclosure_id, message=None):
    """Whether a proof is about this disclosure and, with its message, about exactly those bytes."""
    extra = next((line for line in proof.proof.splitlines() if line.startswith("extra ")), None)
    if extra is None:
        raise NotVerified("the proof says nothing of the entry")
    extra = base64.b64decode(extra.removeprefix("extra "))
    leaf, salt = extra[:ENTRY_BYTES], extra[ENTRY_BYTES:]
    disclosure = leaf[len(LEAF_PREFIX) : len(LEAF_PREFIX) + 16]
    if leaf_hash(leaf) != proof.leaf_hash or uuid.UUID(bytes=disclosure) != uuid.UUID(disclosure_id):
        raise NotVerified("the entry is another disclosure's")
    if message is not None:
        digest = hashlib.sha256(message).digest()
        if hashlib.sha256(CONTENT_PREFIX + salt + digest).digest() != leaf[-DIGEST_BYTES:]:
            raise NotVerified("other bytes than these were recorded")
