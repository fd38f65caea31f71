//! The codes of the HTTP edge itself.

crate::problem_codes! {
    /// Codes that any route can answer with.
    EDGE;

    MALFORMED = 400 "malformed" {
        title: "The request cannot be read",
        cause: "The body is not valid JSON (syntax, a repeated key, more than 64 levels), or a header or parameter does not have its form.",
        fix: "Correct what `detail` and `errors` name, and send the request again.",
    }
    MISSING_IDEMPOTENCY_KEY = 400 "missing-idempotency-key" {
        title: "The Idempotency-Key header is missing",
        cause: "This request changes something and must carry an `Idempotency-Key` of 1 to 255 visible ASCII characters.",
        fix: "Make one random key for each intended change, and send the same key when retrying it.",
    }
    BAD_CURSOR = 400 "bad-cursor" {
        title: "The cursor does not fit",
        cause: "The cursor was altered, belongs to somebody else, or was made for another list, filter or order.",
        fix: "Start again without a cursor, and follow the `Link` header's `rel=\"next\"` unchanged.",
    }
    INVALID_TOKEN = 401 "invalid-token" {
        title: "The proof of identity does not hold",
        cause: "The access token or API key is missing, malformed, expired, revoked or not meant for this platform.",
        fix: "Sign in again or refresh the token; for an API key, check that it is complete and not revoked.",
    }
    INVALID_CREDENTIALS = 401 "invalid-credentials" {
        title: "Sign-in refused",
        cause: "The user, the password or the second factor is not right, or the account cannot sign in. Which of these is never said.",
        fix: "Check the input, or reset the password.",
    }
    FORBIDDEN = 403 "forbidden" {
        title: "Not allowed",
        cause: "The caller is known, and may not do this.",
        fix: "Ask an administrator of the organization for a role that holds the permission named in `detail`; where it names a signed-in user, sign in instead of showing an API key.",
    }
    NOT_FOUND = 404 "not-found" {
        title: "Not found",
        cause: "Nothing is here, or nothing this caller may see.",
        fix: "Check the path and the id; an id of another organization answers like one that never was.",
    }
    METHOD_NOT_ALLOWED = 405 "method-not-allowed" {
        title: "This method is not possible here",
        cause: "The path exists, but not with this method.",
        fix: "Use a method of the `Allow` header.",
    }
    SLOW_REQUEST = 408 "slow-request" {
        title: "The request did not arrive in time",
        cause: "The body took longer than `http.body_timeout_seconds`.",
        fix: "Send the same request again over a better connection.",
    }
    CONFLICT = 409 "conflict" {
        title: "Not possible in the present state",
        cause: "The thing is in a state that does not allow this, or something unique is taken.",
        fix: "Read the thing again, and decide anew.",
    }
    CONTENDED = 409 "contended" {
        title: "Too many changes at once",
        cause: "Other requests changed the same thing again and again while this one was judged; nothing was done.",
        fix: "Send the same request again after the seconds of `Retry-After`.",
    }
    STALE = 412 "stale" {
        title: "Changed in the meantime",
        cause: "The `If-Match` header does not hold the present `ETag`: somebody else changed the thing.",
        fix: "Read it again, merge, and send the new `ETag`, which this answer also carries.",
    }
    BODY_TOO_LARGE = 413 "body-too-large" {
        title: "The body is too large",
        cause: "A body may have `http.body_limit_bytes` bytes, 1 MiB unless configured.",
        fix: "Send less in one request.",
    }
    UNSUPPORTED_MEDIA_TYPE = 415 "unsupported-media-type" {
        title: "This media type is not accepted",
        cause: "Bodies are `application/json` in UTF-8.",
        fix: "Send JSON with `Content-Type: application/json`.",
    }
    UNKNOWN_FIELD = 422 "unknown-field" {
        title: "A field or value nobody knows",
        cause: "The body or the query holds a name, or a value of a fixed list, that this version does not know; or a body came where none is taken.",
        fix: "Compare the name with the API description at `/docs`; nothing is ignored silently.",
    }
    INVALID_FIELD = 422 "invalid-field" {
        title: "A field cannot be accepted",
        cause: "A field is missing, of another type, or breaks a rule.",
        fix: "Correct the fields listed in `errors`.",
    }
    IDEMPOTENCY_KEY_REUSED = 422 "idempotency-key-reused" {
        title: "The Idempotency-Key was used for another request",
        cause: "This key was sent before with a different body.",
        fix: "Use a new key for a new request.",
    }
    MISSING_IF_MATCH = 428 "missing-if-match" {
        title: "The If-Match header is missing",
        cause: "A change of an existing thing must say which version it is based on.",
        fix: "Send the `ETag` of the thing as last read in `If-Match`.",
    }
    QUERY_TOO_EXPENSIVE = 422 "query-too-expensive" {
        title: "The search takes too long",
        cause: "Too much of the log would have to be read, and the search was given up. The same search would be again.",
        fix: "Narrow it by tenant (`organization_id`), type, time (`from` and `to`) or position (`after` and `until`), or read a single stream (`GET /streams/{category}/{stream_id}`).",
    }
    TOO_MANY_REQUESTS = 429 "too-many-requests" {
        title: "Too many requests",
        cause: "This address or account used up what it may send for now.",
        fix: "Wait for the seconds of `Retry-After`; `RateLimit-*` headers show what is left.",
    }
    HEADERS_TOO_LARGE = 431 "headers-too-large" {
        title: "The headers are too large",
        cause: "The request line and headers may have 16 KiB together. Answered without a body.",
        fix: "Send fewer or shorter headers.",
    }
    INTERNAL = 500 "internal" {
        title: "Something failed on our side",
        cause: "A fault in the platform. The cause is in its log under the trace id.",
        fix: "Send the request again with the same `Idempotency-Key`; if it stays, report the trace id.",
    }
    OVERLOADED = 503 "overloaded" {
        title: "Too busy",
        cause: "More is asked than can be done at once: a bounded queue is full, or no longer empties. Nothing was done.",
        fix: "Send the same request again after the seconds of `Retry-After`.",
    }
    PROJECTION_LAGGING = 503 "projection-lagging" {
        title: "Not yet up to date",
        cause: "The read tables did not reach the requested position within two seconds, or the log itself does not reach that far.",
        fix: "Ask again after the seconds of `Retry-After`, or without `Platform-Position` if older data will do.",
    }
    STORAGE_FULL = 503 "storage-full" {
        title: "No space left",
        cause: "The database has no room left, or less than `database.min_free_bytes`. Reading still works; nothing was half done.",
        fix: "Operators: free or add space; the platform resumes by itself.",
    }
    UNAVAILABLE = 503 "unavailable" {
        title: "Not available for now",
        cause: "Something the request needs, such as the database, does not answer.",
        fix: "Send the same request again after the seconds of `Retry-After`.",
    }
    TIMEOUT = 504 "timeout" {
        title: "No answer in time; the outcome is not known",
        cause: "The request ran longer than `http.request_timeout_seconds`. What it began is finished in the background.",
        fix: "Send the same request with the same `Idempotency-Key`: it answers with what was done.",
    }
}
