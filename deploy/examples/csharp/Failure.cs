using Google.Rpc;
using Grpc.Core;

namespace Throughline.Example;

/// <summary>Something that the exchange said does not hold.</summary>
public sealed class NotVerifiedException(string message) : Exception(message);

/// <summary>
/// What the exchange says when it does not answer: a code, a reason that programs read, and words (deploy/ERRORS.md). Read from the
/// trailer `grpc-status-details-bin`, a google.rpc.Status.
/// </summary>
public sealed class Failure
{
    /// <summary>Of these it is a matter of time.</summary>
    private static readonly HashSet<string> Passing = ["UNAVAILABLE", "STOPPING", "TOO_MANY_FEEDS", "TOO_LATE"];

    /// <summary>Without a reason it was not the exchange that spoke, but the way to it: a connection that broke, a proxy, the library.</summary>
    private static readonly HashSet<StatusCode> Cut =
        [StatusCode.Unavailable, StatusCode.Cancelled, StatusCode.Internal, StatusCode.Unknown, StatusCode.DeadlineExceeded];

    /// <summary>What a resume token is bound to: a run that began otherwise cannot be gone on with.</summary>
    private static readonly HashSet<string> Bound = ["resume_token", "office", "purpose"];

    private readonly StatusCode code;
    private readonly string words;
    private readonly List<string> fields = [];

    public Failure(RpcException error)
    {
        code = error.StatusCode;
        words = error.Status.Detail;
        if (error.Trailers.GetValueBytes("grpc-status-details-bin") is not { } trailer)
        {
            return;
        }
        foreach (var detail in Google.Rpc.Status.Parser.ParseFrom(trailer).Details)
        {
            if (detail.TryUnpack<ErrorInfo>(out var info))
            {
                Reason = info.Reason;
                Incident = info.Metadata.GetValueOrDefault("incident", "");
            }
            else if (detail.TryUnpack<RetryInfo>(out var retry))
            {
                RetryAfter = retry.RetryDelay?.ToTimeSpan() ?? TimeSpan.Zero;
            }
            else if (detail.TryUnpack<BadRequest>(out var bad))
            {
                fields.AddRange(bad.FieldViolations.Select(violation => violation.Field));
            }
        }
    }

    public string Reason { get; } = "";

    public string Incident { get; } = "";

    public TimeSpan RetryAfter { get; } = TimeSpan.Zero;

    /// <summary>Whether the same call may be answered later.</summary>
    public bool Passes => Reason.Length == 0 ? Cut.Contains(code) : Passing.Contains(Reason);

    /// <summary>
    /// Whether a feed that goes on with a token has to begin anew: what the run rested on has changed, as the agreement may, or the token is
    /// for another feed than the one asked for.
    /// </summary>
    public bool EndsTheRun => code == StatusCode.FailedPrecondition || Bound.Overlaps(fields);

    public override string ToString() => Reason.Length == 0 ? $"{code}: {words}" : $"{code} {Reason}: {words}";
}
