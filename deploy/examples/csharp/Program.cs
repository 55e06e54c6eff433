using System.Globalization;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Net.Client;
using Throughline.Example;
using Throughline.Feed.V1;
using Throughline.History.V1;
using Throughline.Ledger.V1;
using Throughline.Roster.V1;

const int MessageBytesMax = 32 * 1024 * 1024;
const int AcknowledgeEvery = 500;
const int AttemptsMax = 8;
var pauseMax = TimeSpan.FromSeconds(10);
var answerTimeMax = TimeSpan.FromSeconds(60);
var rosterTimeMax = TimeSpan.FromMinutes(10);

const string Usage = """
    client [--server HOST:PORT] --certs FOLDER --as NAME COMMAND

      roster FILE --date YYYY-MM-DD                      send the list of the caller's clients
      history PERSON_ID [--purpose CODE] [--as-of TIME] [--on-behalf-of WHO] [--save FILE]
      feed --to FILE [--office OFFICE] [--purpose CODE]  the whole population as NDJSON, resumable
      checkpoint --keep FILE                             keep the ledger's newest checkpoint
      prove DISCLOSURE_ID [--message FILE] [--checkpoint FILE]
    """;

try
{
    var options = new Options(args);
    using var channel = Connect(options);
    return options.Command switch
    {
        "roster" => await SendRoster(channel, options),
        "history" => await PrintHistory(channel, options),
        "feed" => await KeepFeed(channel, options),
        "checkpoint" => await KeepCheckpoint(channel, options),
        "prove" => await Prove(channel, options),
        _ => throw new UsageException("a command is missing"),
    };
}
catch (RpcException error)
{
    Console.Error.WriteLine(new Failure(error));
    return 1;
}
catch (NotVerifiedException error)
{
    Console.Error.WriteLine($"does not verify: {error.Message}");
    return 3;
}
catch (UsageException error)
{
    Console.Error.WriteLine($"{error.Message}\n\n{Usage}");
    return 2;
}

// A channel whose caller is the bearer of a certificate, to a server whose certificate the authority of the exchange signed.
GrpcChannel Connect(Options options)
{
    var (certs, bearer) = (options.Needed("certs"), options.Needed("as"));
    var pem = X509Certificate2.CreateFromPemFile(Path.Combine(certs, $"{bearer}.pem"), Path.Combine(certs, $"{bearer}.key"));
    // Windows takes a client's key from a store or from PKCS #12 only.
    var own = OperatingSystem.IsWindows() ? new X509Certificate2(pem.Export(X509ContentType.Pkcs12)) : pem;
    var trust = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
    trust.CustomTrustStore.ImportFromPemFile(Path.Combine(certs, "ca.pem"));
    var handler = new SocketsHttpHandler
    {
        KeepAlivePingDelay = TimeSpan.FromMinutes(1),
        SslOptions = new SslClientAuthenticationOptions
        {
            EnabledSslProtocols = SslProtocols.Tls13,
            ClientCertificates = new X509CertificateCollection { own },
            LocalCertificateSelectionCallback = (_, _, _, _, _) => own,
            CertificateChainPolicy = trust,
        },
    };
    return GrpcChannel.ForAddress($"https://{options.Find("server") ?? "localhost:50051"}", new GrpcChannelOptions
    {
        HttpHandler = handler,
        DisposeHttpClient = true,
        MaxReceiveMessageSize = MessageBytesMax,
    });
}

static string AsJson(IMessage message) =>
    new JsonFormatter(JsonFormatter.Settings.Default.WithPreserveProtoFieldNames(true)).Format(message);

// Sends the list of the caller's clients, in the agency's own columns, and prints the receipt.
async Task<int> SendRoster(GrpcChannel channel, Options options)
{
    var day = DateOnly.ParseExact(options.Needed("date"), "yyyy-MM-dd", CultureInfo.InvariantCulture);
    var request = new SubmitRosterRequest
    {
        Content = ByteString.CopyFrom(File.ReadAllBytes(options.Subject)),
        RosterDate = new Google.Type.Date { Year = day.Year, Month = day.Month, Day = day.Day },
        RequestId = Guid.NewGuid().ToString(),
    };
    var receipt = await new RosterService.RosterServiceClient(channel)
        .SubmitRosterAsync(request, deadline: DateTime.UtcNow + rosterTimeMax);
    Console.WriteLine(AsJson(receipt));
    return receipt.RefusedReason.Length == 0 ? 0 : 1;
}

// Prints one client's history; keeps the very bytes of the answer if asked to.
async Task<int> PrintHistory(GrpcChannel channel, Options options)
{
    var request = new GetHistoryRequest
    {
        PersonId = options.Subject,
        Purpose = options.Find("purpose") ?? "",
        OnBehalfOf = options.Find("on-behalf-of") ?? "",
        RequestId = Guid.NewGuid().ToString(),
        AsOfTime = options.Find("as-of") is { } text
            ? Timestamp.FromDateTimeOffset(DateTimeOffset.Parse(text, CultureInfo.InvariantCulture))
            : null,
    };
    // The answer's bytes are what the ledger holds the digest of, so they are taken as they come.
    var getHistory = new Method<GetHistoryRequest, byte[]>(
        MethodType.Unary,
        "throughline.history.v1.HistoryService",
        "GetHistory",
        Marshallers.Create<GetHistoryRequest>(message => message.ToByteArray(), GetHistoryRequest.Parser.ParseFrom),
        Marshallers.Create<byte[]>(bytes => bytes, bytes => bytes));
    var call = new CallOptions(deadline: DateTime.UtcNow + answerTimeMax);
    var answer = await channel.CreateCallInvoker().AsyncUnaryCall(getHistory, null, call, request);
    if (options.Find("save") is { } file)
    {
        File.WriteAllBytes(file, answer);
    }
    Console.WriteLine(AsJson(GetHistoryResponse.Parser.ParseFrom(answer).History));
    return 0;
}

// Keeps the caller's population as a file; goes on where it was cut.
async Task<int> KeepFeed(GrpcChannel channel, Options options)
{
    var target = options.Needed("to");
    var service = new FeedService.FeedServiceClient(channel);
    using var received = new Received(target);
    for (var attempt = 0; ;)
    {
        var before = received.Position;
        try
        {
            var (end, token) = await Receive(service, received, options);
            received.Finish(end, token);
            await Acknowledge(service, token);
            Console.WriteLine($"{end.Histories} histories and {end.Withdrawals} withdrawals in {target}, digest {end.Digest}");
            foreach (var person in received.Omitted)
            {
                Console.Error.WriteLine($"{person}: too large to be sent; what is held of this client is not the present state");
            }
            return 0;
        }
        catch (RpcException error)
        {
            var failure = new Failure(error);
            received.Sync();
            attempt = received.Position > before ? 0 : attempt + 1;
            var anew = failure.EndsTheRun && !received.Token.IsEmpty;
            if ((!anew && !failure.Passes) || attempt == AttemptsMax)
            {
                throw;
            }
            if (anew)
            {
                // What was received and what would come are not one feed.
                received.Restart();
            }
            var pause = TimeSpan.FromMilliseconds(250 * Math.Pow(2, attempt));
            pause = pause < pauseMax ? pause : pauseMax;
            await Task.Delay(pause > failure.RetryAfter ? pause : failure.RetryAfter);
        }
    }
}

async Task<(RunEnd End, ByteString Token)> Receive(FeedService.FeedServiceClient service, Received received, Options options)
{
    var request = new StreamFeedRequest
    {
        Office = options.Find("office") ?? "",
        Purpose = options.Find("purpose") ?? "",
        ResumeToken = received.Token,
    };
    using var stream = service.StreamFeed(request);
    await foreach (var message in stream.ResponseStream.ReadAllAsync())
    {
        if (message.RunEnd is { } end)
        {
            return (end, message.ResumeToken);
        }
        if (message.Heartbeat is null)
        {
            received.Add(message);
            if (received.Position % AcknowledgeEvery == 0)
            {
                received.Sync();
                await Acknowledge(service, received.Token);
            }
        }
    }
    throw new NotVerifiedException("the feed ended without saying that it is complete");
}

// Only what is stored durably is acknowledged.
async Task Acknowledge(FeedService.FeedServiceClient service, ByteString token)
{
    var request = new AckFeedRequest { ResumeToken = token, RequestId = Guid.NewGuid().ToString() };
    await service.AckFeedAsync(request, deadline: DateTime.UtcNow + answerTimeMax);
}

// Whether the ledger as it is now extends the one kept.
async Task CheckGrowth(LedgerService.LedgerServiceClient service, Head kept, Head now)
{
    if (now.Size < kept.Size)
    {
        throw new NotVerifiedException($"the log does not extend the checkpoint kept: it has shrunk from {kept.Size} to {now.Size} entries");
    }
    if (kept.Size.IsZero)
    {
        return;
    }
    IReadOnlyList<byte[]> hashes = [];
    if (kept.Size < now.Size)
    {
        var request = new GetConsistencyProofRequest { OldSize = (long)kept.Size, NewSize = (long)now.Size };
        var proof = await service.GetConsistencyProofAsync(request, deadline: DateTime.UtcNow + answerTimeMax);
        hashes = [.. proof.Hashes.Select(hash => hash.ToByteArray())];
    }
    LedgerProof.CheckConsistency(kept, now, hashes);
}

// Keeps the newest checkpoint, if it extends the one kept.
async Task<int> KeepCheckpoint(GrpcChannel channel, Options options)
{
    var file = options.Needed("keep");
    var service = new LedgerService.LedgerServiceClient(channel);
    var answer = await service.GetCheckpointAsync(new GetCheckpointRequest(), deadline: DateTime.UtcNow + answerTimeMax);
    var now = LedgerProof.ReadCheckpoint(answer.Checkpoint);
    if (File.Exists(file))
    {
        var kept = LedgerProof.ReadCheckpoint(File.ReadAllText(file));
        await CheckGrowth(service, kept, now);
        Console.WriteLine($"the ledger has grown from {kept.Size} to {now.Size} entries; nothing before was changed");
    }
    else
    {
        Console.WriteLine($"the ledger has {now.Size} entries");
    }
    File.WriteAllText(file + ".part", answer.Checkpoint);
    File.Move(file + ".part", file, overwrite: true);
    return 0;
}

// Shows that a disclosure is in the ledger, and that exactly these bytes were recorded.
async Task<int> Prove(GrpcChannel channel, Options options)
{
    var service = new LedgerService.LedgerServiceClient(channel);
    var request = new GetInclusionProofRequest { DisclosureId = options.Subject };
    var proof = await service.GetInclusionProofAsync(request, deadline: DateTime.UtcNow + answerTimeMax);
    var now = LedgerProof.ReadCheckpoint(proof.Checkpoint);
    if (now.Size != proof.TreeSize)
    {
        throw new NotVerifiedException("the checkpoint is that of another size");
    }
    var leaf = proof.LeafHash.ToByteArray();
    var root = LedgerProof.RootFromInclusion(proof.LeafIndex, now.Size, leaf, proof.Hashes.Select(hash => hash.ToByteArray()));
    if (!root.SequenceEqual(now.Root))
    {
        throw new NotVerifiedException("the path does not lead to the checkpoint");
    }
    var said = $"entry {proof.LeafIndex} of {now.Size}";
    var message = options.Find("message") is { } file ? File.ReadAllBytes(file) : null;
    LedgerProof.CheckEntry(proof.Proof, leaf, options.Subject, message);
    said += message is null ? "" : ", with exactly these bytes";
    if (options.Find("checkpoint") is { } keptIn)
    {
        await CheckGrowth(service, LedgerProof.ReadCheckpoint(File.ReadAllText(keptIn)), now);
        said += ", in a ledger that extends the checkpoint kept";
    }
    Console.WriteLine(said);
    return 0;
}

/// <summary>The command line cannot be meant.</summary>
internal sealed class UsageException(string message) : Exception(message);

/// <summary>The command line: options with a value each, a command, and what it is about.</summary>
internal sealed class Options
{
    private static readonly HashSet<string> Names =
    [
        "server", "certs", "as", "date", "purpose", "as-of", "on-behalf-of", "save", "to", "office", "keep", "message", "checkpoint",
    ];

    private readonly Dictionary<string, string> values = [];
    private readonly List<string> words = [];

    public Options(string[] arguments)
    {
        for (var at = 0; at < arguments.Length; at += 1)
        {
            if (!arguments[at].StartsWith("--", StringComparison.Ordinal))
            {
                words.Add(arguments[at]);
                continue;
            }
            var name = arguments[at][2..];
            if (!Names.Contains(name) || at + 1 == arguments.Length)
            {
                throw new UsageException($"--{name} is not known, or has no value");
            }
            at += 1;
            values[name] = arguments[at];
        }
    }

    public string Command => words.ElementAtOrDefault(0) ?? "";

    public string Subject => words.ElementAtOrDefault(1) ?? throw new UsageException("what the command is about is missing");

    public string? Find(string name) => values.GetValueOrDefault(name);

    public string Needed(string name) => Find(name) ?? throw new UsageException($"--{name} is missing");
}
