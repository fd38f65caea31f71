//! The refusals of persons, users and sessions.

crate::problem_codes! {
    /// Codes of the identity module.
    IDENTITY;

    PERSON_MERGED = 409 "person-merged" {
        title: "This person is known under another id",
        cause: "The person was merged into another one.",
        fix: "Work with the person it was merged into.",
    }
    PERSON_MERGE_INTO_SELF = 422 "person-merge-into-self" {
        title: "A person cannot be merged into themself",
        cause: "Both ids of the merge are the same.",
        fix: "Name two persons.",
    }
    PERSON_MERGE_TARGET = 409 "person-merge-target" {
        title: "The merge would not end at a living record",
        cause: "The person to merge into is merged or erased itself.",
        fix: "Merge into an active person.",
    }
    PERSON_ERASURE_PENDING = 409 "person-erasure-pending" {
        title: "Erasure was requested first",
        cause: "The person asked to be erased, and a merge would lose the request.",
        fix: "Reject the request, or carry it out.",
    }
    PERSON_ERASURE_NOT_REQUESTED = 409 "person-erasure-not-requested" {
        title: "Nobody asked for erasure",
        cause: "There is no open request to erase this person.",
        fix: "Request the erasure first.",
    }
    USER_WRONG_STATUS = 409 "user-wrong-status" {
        title: "Not possible in this status of the user",
        cause: "The user is pending, locked, disabled or deleted.",
        fix: "Read its `status`; verify, unlock or enable the user first.",
    }
    USER_TOKEN_INVALID = 422 "user-token-invalid" {
        title: "This token is not valid",
        cause: "The token is unknown, used, superseded, expired or was tried too often. Which of these is never said.",
        fix: "Ask for a new one.",
    }
    USER_TOKEN_EXPIRY = 422 "user-token-expiry" {
        title: "The token would have expired already",
        cause: "A token must expire after now.",
        fix: "Choose a later instant.",
    }
    USER_PROOF_INVALID = 401 "user-proof-invalid" {
        title: "The proof of identity does not hold",
        cause: "What was checked is no longer a credential of the user.",
        fix: "Sign in again.",
    }
    USER_SECOND_FACTOR_REQUIRED = 401 "user-second-factor-required" {
        title: "A second factor is needed",
        cause: "The account has an authenticator app, and no code came with the password.",
        fix: "Send the present code of the app as well.",
    }
    USER_CODE_USED = 401 "user-code-used" {
        title: "This code was already used",
        cause: "A code of an authenticator app works once.",
        fix: "Wait for the next code, at most 30 seconds.",
    }
    USER_CREDENTIAL_MISSING = 404 "user-credential-missing" {
        title: "There is no such credential",
        cause: "The user has no credential of this id.",
        fix: "List the user's credentials.",
    }
    USER_LAST_CREDENTIAL = 409 "user-last-credential" {
        title: "The only way to sign in stays",
        cause: "Nobody could sign in to the account any more.",
        fix: "Add another credential first.",
    }
    USER_TOTP_ENROLLED = 409 "user-totp-enrolled" {
        title: "An authenticator app is enrolled already",
        cause: "A user has one authenticator app at a time.",
        fix: "Revoke the present one first.",
    }
    USER_PASSWORD_REQUIRED = 403 "user-password-required" {
        title: "One's own credential is taken away with the password",
        cause: "Even who may revoke other users' credentials shows the password for one of their own.",
        fix: "Use `POST /users/{user_id}/credentials/{credential_id}/revoke`.",
    }
    USER_LOCK_END = 422 "user-lock-end" {
        title: "The lock would have ended already",
        cause: "A lock must end after now.",
        fix: "Choose a later instant.",
    }
    SESSION_ENDED = 401 "session-ended" {
        title: "The session has ended",
        cause: "The session was revoked or has expired.",
        fix: "Sign in again.",
    }
    SESSION_TOKEN_INVALID = 401 "session-token-invalid" {
        title: "This refresh token is not valid",
        cause: "No such token was ever given out for the session, or it was replaced.",
        fix: "Sign in again.",
    }
    SESSION_NOT_EXPIRED = 409 "session-not-expired" {
        title: "The session has not expired",
        cause: "Its time is not over.",
        fix: "Revoke it instead.",
    }
    SESSION_LIFETIME = 422 "session-lifetime" {
        title: "The life of the session is not possible",
        cause: "A session ends after now, and not later than the longest life allows.",
        fix: "Choose another end.",
    }
}
