using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Throughline.Feed.V1;

namespace Throughline.Example;

/// <summary>
/// What was received of a run of the feed, kept so that it can be cut anywhere and nothing is lost or applied twice: a file of lines
/// beside the target, in the order of positions.
/// </summary>
/// <remarks>
/// An event and its token are one line, so that a kill leaves both or neither; a line that was cut, and all behind it, comes again. The
/// target is written when the run is complete, and takes the place of the one before in one step. Then, and not before, the run's last token
/// is kept beside it: the next run begins there, and sends only what changed. A kill between the two costs a whole run and nothing else.
/// </remarks>
public sealed class Received : IDisposable
{
    private static readonly JsonFormatter Json = new(JsonFormatter.Settings.Default.WithPreserveProtoFieldNames(true));

    private readonly string target;
    private readonly string part;
    private readonly string last;
    private readonly FileStream file;

    /// <summary>Where each person's line begins and how long it is; of whoever was withdrawn: nowhere.</summary>
    private readonly Dictionary<string, (long At, int Bytes)?> places = [];
    private readonly List<string> omitted = [];
    private long histories;
    private readonly List<string> withdrawals = [];
    private byte[] digest = new byte[SHA256.HashSizeInBytes];
    private long end;

    public Received(string target)
    {
        this.target = target;
        part = target + ".part";
        last = target + ".token";
        if (File.Exists(target) && File.Exists(last))
        {
            Token = ByteString.CopyFrom(File.ReadAllBytes(last));
        }
        file = new FileStream(part, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        foreach (var line in Lines())
        {
            try
            {
                Count(line, line.Length + 1);
            }
            catch (Exception error) when (error is not IOException)
            {
                break;
            }
        }
        file.SetLength(end);
    }

    public ByteString Token { get; private set; } = ByteString.Empty;

    public long Position { get; private set; }

    /// <summary>Whose histories were too large to be sent.</summary>
    public IReadOnlyList<string> Omitted => omitted;

    /// <summary>Throws away what was received: a whole run begins.</summary>
    public void Restart()
    {
        file.SetLength(0);
        places.Clear();
        withdrawals.Clear();
        omitted.Clear();
        (Token, Position, histories, end) = (ByteString.Empty, 0, 0, 0);
        digest = new byte[SHA256.HashSizeInBytes];
    }

    /// <summary>Stores an event.</summary>
    public void Add(StreamFeedResponse message)
    {
        var happened = message.EventCase switch
        {
            StreamFeedResponse.EventOneofCase.History => $",\"history\":{Json.Format(message.History)}",
            StreamFeedResponse.EventOneofCase.Withdrawal => $",\"withdrawal\":{Json.Format(message.Withdrawal)}",
            StreamFeedResponse.EventOneofCase.Omission => $",\"omission\":{Json.Format(message.Omission)}",
            _ => "",
        };
        var token = message.ResumeToken.ToBase64();
        var line = Encoding.UTF8.GetBytes($"{{\"position\":{message.Position},\"resume_token\":\"{token}\"{happened}}}\n");
        var at = end;
        Count(line.AsMemory(0, line.Length - 1), line.Length);
        RandomAccess.Write(file.SafeFileHandle, line, at);
    }

    /// <summary>From here on it outlives a loss of power: it may be acknowledged.</summary>
    public void Sync() => file.Flush(flushToDisk: true);

    /// <summary>The run is complete: compares counts and digest, and gives the target its content.</summary>
    public void Finish(RunEnd said, ByteString token)
    {
        var have = (histories, withdrawals.Count, omitted.Count, Convert.ToHexString(digest).ToLowerInvariant());
        if ((said.Histories, said.Withdrawals, said.Omitted, said.Digest) != have)
        {
            Restart(); // The next start begins a run of its own.
            throw new NotVerifiedException("the run's counts or digest are not those of what was received");
        }
        Sync();
        ListWithdrawals();
        using (var whole = new FileStream(target + ".new", FileMode.Create, FileAccess.Write, FileShare.None))
        {
            foreach (var line in said.Scope == Scope.Changes ? File.ReadLines(target) : [])
            {
                using var read = JsonDocument.Parse(line);
                if (!places.ContainsKey(read.RootElement.GetProperty("person_id").GetString() ?? ""))
                {
                    whole.Write(Encoding.UTF8.GetBytes(line + "\n"));
                }
            }
            foreach (var (at, bytes) in places.Values.OfType<(long At, int Bytes)>().OrderBy(place => place.At))
            {
                var line = new byte[bytes];
                RandomAccess.Read(file.SafeFileHandle, line, at);
                using var read = JsonDocument.Parse(line);
                whole.Write(Encoding.UTF8.GetBytes(read.RootElement.GetProperty("history").GetRawText() + "\n"));
            }
            whole.Flush(flushToDisk: true);
        }
        File.Move(target + ".new", target, overwrite: true);
        File.WriteAllBytes(last + ".new", token.ToByteArray());
        File.Move(last + ".new", last, overwrite: true);
        file.Dispose();
        File.Delete(part);
    }

    public void Dispose() => file.Dispose();

    /// <summary>Takes a line into account, whole or not at all. Of an event that is not known here only the position counts.</summary>
    private void Count(ReadOnlyMemory<byte> line, int bytes)
    {
        using var read = JsonDocument.Parse(line);
        var root = read.RootElement;
        var position = root.GetProperty("position").GetInt64();
        var token = ByteString.FromBase64(root.GetProperty("resume_token").GetString());
        if (position != Position + 1)
        {
            throw new NotVerifiedException("a message of the run is missing, or came twice");
        }
        if (root.TryGetProperty("history", out var history))
        {
            var person = history.GetProperty("person_id").GetString() ?? "";
            var content = Convert.FromHexString(history.GetProperty("content_digest").GetString() ?? "");
            Chain(content);
            histories += 1;
            places[person] = (end, bytes);
        }
        else if (root.TryGetProperty("withdrawal", out var withdrawal))
        {
            var said = Withdrawal.Parser.ParseJson(withdrawal.GetRawText());
            var (date, person) = (said.DestroyByDate, said.PersonId);
            Chain(SHA256.HashData(Encoding.UTF8.GetBytes($"{person}\n{said.Reason}\n{date.Year:D4}-{date.Month:D2}-{date.Day:D2}\n")));
            places[person] = null;
            withdrawals.Add(withdrawal.GetRawText());
        }
        else if (root.TryGetProperty("omission", out var omission))
        {
            omitted.Add(omission.GetProperty("person_id").GetString() ?? "");
        }
        (Position, Token) = (position, token);
        end += bytes;
    }

    private void Chain(byte[] content) => digest = SHA256.HashData([.. digest, .. content]);

    /// <summary>What is to be destroyed elsewhere too is listed beside the target, each withdrawal once, until somebody has done it.</summary>
    private void ListWithdrawals()
    {
        var listed = target + ".withdrawals";
        var before = File.Exists(listed) ? File.ReadAllLines(listed) : [];
        var all = before.Union(withdrawals).ToList();
        if (all.Count > 0)
        {
            File.WriteAllLines(listed + ".new", all);
            File.Move(listed + ".new", listed, overwrite: true);
        }
    }

    /// <summary>The whole lines of the file, without their ends; what was cut is left out.</summary>
    private IEnumerable<byte[]> Lines()
    {
        var line = new MemoryStream();
        var chunk = new byte[1024 * 1024];
        file.Position = 0;
        while (file.Read(chunk) is var read and > 0)
        {
            var from = 0;
            for (int to; (to = Array.IndexOf(chunk, (byte)'\n', from, read - from)) >= 0; from = to + 1)
            {
                line.Write(chunk, from, to - from);
                yield return line.ToArray();
                line.SetLength(0);
            }
            line.Write(chunk, from, read - from);
        }
    }
}
