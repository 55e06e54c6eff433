using System.Numerics;
using System.Security.Cryptography;
using System.Text;

namespace Throughline.Example;

/// <summary>A tree of so many entries.</summary>
public sealed record Head(BigInteger Size, byte[] Root);

/// <summary>What a recipient checks of the ledger for itself: RFC 6962 trees, C2SP checkpoints, and what an entry says of a disclosure.</summary>
public static class LedgerProof
{
    private const int IdBytes = 16;
    private static readonly byte[] LeafPrefix = Encoding.ASCII.GetBytes("throughline-ledger/v1/leaf\n");
    private static readonly byte[] ContentPrefix = Encoding.ASCII.GetBytes("throughline-ledger/v1/content\n");
    private static readonly int EntryBytes = LeafPrefix.Length + IdBytes + 3 * SHA256.HashSizeInBytes;

    /// <summary>Size and root of a checkpoint. .NET has no Ed25519: whoever checks the signature too takes a package for it.</summary>
    public static Head ReadCheckpoint(string note)
    {
        var at = note.LastIndexOf("\n\n", StringComparison.Ordinal);
        var lines = note[..Math.Max(at, 0)].Split('\n');
        if (lines.Length < 3 || !BigInteger.TryParse(lines[1], out var size))
        {
            throw new NotVerifiedException("this is no checkpoint");
        }
        return new Head(size, Convert.FromBase64String(lines[2]));
    }

    /// <summary>The root to which an audit path leads (RFC 9162, 2.1.3.2).</summary>
    public static byte[] RootFromInclusion(BigInteger index, BigInteger size, byte[] leaf, IEnumerable<byte[]> path)
    {
        if (index < 0 || index >= size)
        {
            throw new NotVerifiedException("the position lies outside the tree");
        }
        var (fn, sn, root) = (index, size - 1, leaf);
        foreach (var sibling in path)
        {
            if (sn.IsZero)
            {
                throw new NotVerifiedException("the path is too long");
            }
            if (!fn.IsEven || fn == sn)
            {
                root = NodeHash(sibling, root);
                for (; fn.IsEven && !fn.IsZero; fn >>= 1)
                {
                    sn >>= 1;
                }
            }
            else
            {
                root = NodeHash(root, sibling);
            }
            (fn, sn) = (fn >> 1, sn >> 1);
        }
        return sn.IsZero ? root : throw new NotVerifiedException("the path is too short");
    }

    /// <summary>Whether the later tree extends the earlier one (RFC 9162, 2.1.4.2).</summary>
    public static void CheckConsistency(Head old, Head later, IReadOnlyList<byte[]> hashes)
    {
        if (old.Size == later.Size)
        {
            if (hashes.Count > 0 || !old.Root.SequenceEqual(later.Root))
            {
                throw new NotVerifiedException("one size has two roots: the ledger was rewritten");
            }
            return;
        }
        if (old.Size <= 0 || old.Size > later.Size || hashes.Count == 0)
        {
            throw new NotVerifiedException("the ledger has shrunk, or proves nothing");
        }
        byte[][] path = old.Size.IsPowerOfTwo ? [old.Root, .. hashes] : [.. hashes];
        var (fn, sn) = (old.Size - 1, later.Size - 1);
        for (; !fn.IsEven; fn >>= 1)
        {
            sn >>= 1;
        }
        var (before, after) = (path[0], path[0]);
        foreach (var step in path.Skip(1))
        {
            if (sn.IsZero)
            {
                throw new NotVerifiedException("the path is too long");
            }
            if (!fn.IsEven || fn == sn)
            {
                (before, after) = (NodeHash(step, before), NodeHash(step, after));
                for (; fn.IsEven && !fn.IsZero; fn >>= 1)
                {
                    sn >>= 1;
                }
            }
            else
            {
                after = NodeHash(after, step);
            }
            (fn, sn) = (fn >> 1, sn >> 1);
        }
        if (!sn.IsZero || !before.SequenceEqual(old.Root) || !after.SequenceEqual(later.Root))
        {
            throw new NotVerifiedException("the log does not extend the checkpoint kept: it was rewritten");
        }
    }

    /// <summary>Whether a proof is about this disclosure and, with its message, about exactly those bytes.</summary>
    public static void CheckEntry(string proof, byte[] hash, string disclosure, byte[]? message)
    {
        const string Extra = "extra ";
        var line = proof.Split('\n').FirstOrDefault(one => one.StartsWith(Extra, StringComparison.Ordinal))
            ?? throw new NotVerifiedException("the proof says nothing of the entry");
        var extra = Convert.FromBase64String(line[Extra.Length..]);
        if (extra.Length < EntryBytes)
        {
            throw new NotVerifiedException("the proof says nothing of the entry");
        }
        var (leaf, salt) = (extra[..EntryBytes], extra[EntryBytes..]);
        var id = Convert.ToHexString(leaf[LeafPrefix.Length..(LeafPrefix.Length + IdBytes)]);
        var isThat = id.Equals(disclosure.Replace("-", ""), StringComparison.OrdinalIgnoreCase);
        if (!isThat || !SHA256.HashData([0, .. leaf]).SequenceEqual(hash))
        {
            throw new NotVerifiedException("the entry is another disclosure's");
        }
        if (message is null)
        {
            return;
        }
        var content = SHA256.HashData([.. ContentPrefix, .. salt, .. SHA256.HashData(message)]);
        if (!content.SequenceEqual(leaf[^SHA256.HashSizeInBytes..]))
        {
            throw new NotVerifiedException("other bytes than these were recorded");
        }
    }

    private static byte[] NodeHash(byte[] left, byte[] right) => SHA256.HashData([1, .. left, .. right]);
}
