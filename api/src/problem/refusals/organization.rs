//! The refusals of organizations, members, roles and keys.

crate::problem_codes! {
    /// Codes of the organization module.
    ORGANIZATION;

    ORGANIZATION_WRONG_STATUS = 409 "organization-wrong-status" {
        title: "Not possible in this status of the organization",
        cause: "The organization is frozen, archived, or not in a status this starts from.",
        fix: "Read its `status`; unfreeze or restore it first.",
    }
    ORGANIZATION_IS_PLATFORM = 409 "organization-is-platform" {
        title: "The platform's own organization stays",
        cause: "The organization that runs the platform can be neither frozen, archived nor purged.",
        fix: "Choose another organization.",
    }
    ORGANIZATION_LAST_OWNER = 409 "organization-last-owner" {
        title: "An organization keeps an owner",
        cause: "This would leave the organization without an owner.",
        fix: "Make somebody else an owner first.",
    }
    ORGANIZATION_TRIAL_END = 422 "organization-trial-end" {
        title: "The trial would end too early",
        cause: "The end of a trial lies after now and after its present end.",
        fix: "Choose a later instant.",
    }
    ORGANIZATION_CONTRACT_DATES = 422 "organization-contract-dates" {
        title: "The contract's dates are reversed",
        cause: "A contract cannot end before it starts.",
        fix: "Exchange or correct the dates.",
    }
    ORGANIZATION_PURGE_TOO_EARLY = 409 "organization-purge-too-early" {
        title: "Too early to purge",
        cause: "An archived organization is kept for 90 days.",
        fix: "Wait until `purge_after`.",
    }
    ORGANIZATION_RESTORE_TOO_LATE = 409 "organization-restore-too-late" {
        title: "Too late to restore",
        cause: "The time in which the archived organization could be restored is over.",
        fix: "Create a new organization.",
    }
    ORGANIZATION_TOO_MANY_SETTINGS = 422 "organization-too-many-settings" {
        title: "Too many settings",
        cause: "An organization has at most 200 settings.",
        fix: "Remove settings by setting them to null.",
    }
    WORKSPACE_ARCHIVED = 409 "workspace-archived" {
        title: "The workspace is archived",
        cause: "Nothing changes in an archive.",
        fix: "Restore the workspace first.",
    }
    WORKSPACE_IS_DEFAULT = 409 "workspace-is-default" {
        title: "The default workspace stays",
        cause: "Every organization keeps its default workspace.",
        fix: "Archive another workspace.",
    }
    MEMBERSHIP_ALREADY_MEMBER = 409 "membership-already-member" {
        title: "Already a member",
        cause: "The user belongs to the organization, perhaps suspended.",
        fix: "Reinstate the member instead.",
    }
    MEMBERSHIP_WRONG_STATUS = 409 "membership-wrong-status" {
        title: "Not possible in this status of the membership",
        cause: "The membership is suspended or over.",
        fix: "Read its `status`; reinstate or invite the user first.",
    }
    MEMBERSHIP_OWNER = 409 "membership-owner" {
        title: "An owner stays a member",
        cause: "An owner cannot be suspended or removed.",
        fix: "Remove the ownership first.",
    }
    INVITATION_RESOLVED = 409 "invitation-resolved" {
        title: "The invitation has had its answer",
        cause: "It was accepted, declined or revoked.",
        fix: "Invite again.",
    }
    INVITATION_EXPIRED = 409 "invitation-expired" {
        title: "The invitation has expired",
        cause: "Its time is over.",
        fix: "Ask for a new one.",
    }
    INVITATION_NOT_EXPIRED = 409 "invitation-not-expired" {
        title: "The invitation has not expired",
        cause: "Its time is not over.",
        fix: "Revoke it instead.",
    }
    INVITATION_OTHER_ADDRESS = 403 "invitation-other-address" {
        title: "The invitation is for another address",
        cause: "The e-mail address of this account is not the invited one.",
        fix: "Sign in with the account of the invited address.",
    }
    INVITATION_STALE_LINK = 403 "invitation-stale-link" {
        title: "This link was replaced",
        cause: "The invitation was sent again, with another link.",
        fix: "Use the newest mail.",
    }
    INVITATION_EXPIRY = 422 "invitation-expiry" {
        title: "The invitation would have ended already",
        cause: "An invitation must end after now.",
        fix: "Choose a later instant.",
    }
    INVITATION_SENT_MEANWHILE = 409 "invitation-sent-meanwhile" {
        title: "Sent by somebody else",
        cause: "The invitation was sent again while this request was on its way.",
        fix: "Nothing needs to be done: the newest link is in the mail.",
    }
    INVITATION_TOO_MANY_SENDS = 409 "invitation-too-many-sends" {
        title: "Sent often enough",
        cause: "An invitation is sent a limited number of times.",
        fix: "Revoke it and invite again, or reach the person in another way.",
    }
    ROLE_KEY = 422 "role-key" {
        title: "Not a role key",
        cause: "A key has 2 to 48 of `a-z`, `0-9` and `_`, and starts with a letter.",
        fix: "Choose another key.",
    }
    ROLE_SCOPES = 422 "role-scopes" {
        title: "Not scopes for this role",
        cause: "A role is given in at least one scope, and an organization's own role never on the platform.",
        fix: "Choose other scopes.",
    }
    ROLE_IS_SYSTEM = 403 "role-is-system" {
        title: "System roles belong to the platform",
        cause: "Only the platform itself changes them.",
        fix: "Define a role of the organization instead.",
    }
    ROLE_ARCHIVED = 409 "role-archived" {
        title: "The role is archived",
        cause: "Nothing changes in an archive.",
        fix: "Define a new role.",
    }
    ROLE_ASSIGNMENT_ROLE_MISSING = 422 "role-assignment-role-missing" {
        title: "There is no such role here",
        cause: "The role is archived or belongs to another organization.",
        fix: "List the roles the organization can give.",
    }
    ROLE_ASSIGNMENT_SCOPE = 422 "role-assignment-scope" {
        title: "The role was not made for this scope",
        cause: "The role cannot be given in the scope that was asked for.",
        fix: "Read the role's `scopes`.",
    }
    ROLE_ASSIGNMENT_NOT_MEMBER = 409 "role-assignment-not-member" {
        title: "Not an active member",
        cause: "Only active members hold roles in an organization.",
        fix: "Invite or reinstate the user first.",
    }
    ROLE_ASSIGNMENT_OWNER_ROLE = 409 "role-assignment-owner-role" {
        title: "The owner role comes and goes with being an owner",
        cause: "The owner role was to be given, promised or taken away by itself.",
        fix: "Add or remove an owner of the organization instead.",
    }
    ROLE_ASSIGNMENT_EXPIRY = 422 "role-assignment-expiry" {
        title: "The role assignment would have ended already",
        cause: "A role assignment must end after now.",
        fix: "Choose a later instant.",
    }
    ROLE_ASSIGNMENT_NOT_EXPIRED = 409 "role-assignment-not-expired" {
        title: "The role assignment has not expired",
        cause: "It has no end, or not yet.",
        fix: "Revoke it instead.",
    }
    PERMISSION_UNKNOWN = 422 "permission-unknown" {
        title: "There is no such permission",
        cause: "No module declares a permission of this name.",
        fix: "List the permissions at `/api/v1/permissions`.",
    }
    PERMISSION_NOT_HELD = 403 "permission-not-held" {
        title: "A permission you do not hold",
        cause: "Nobody can give away what they do not hold.",
        fix: "Ask somebody who holds the permission.",
    }
    SERVICE_PRINCIPAL_DISABLED = 409 "service-principal-disabled" {
        title: "The service principal is disabled",
        cause: "It gets no keys any more.",
        fix: "Create a new service principal.",
    }
    API_KEY_ENDED = 409 "api-key-ended" {
        title: "This key cannot be replaced",
        cause: "It is revoked, expired or already replaced.",
        fix: "Issue a new key.",
    }
    API_KEY_TOO_MANY = 409 "api-key-too-many" {
        title: "Enough keys",
        cause: "A service principal has a limited number of keys.",
        fix: "Revoke or rotate one.",
    }
    API_KEY_NO_SCOPES = 422 "api-key-no-scopes" {
        title: "A key that may do nothing",
        cause: "A key carries at least one permission.",
        fix: "Name the permissions it needs.",
    }
    API_KEY_EXPIRY = 422 "api-key-expiry" {
        title: "The key would have ended already",
        cause: "A key must end after now.",
        fix: "Choose a later instant.",
    }
}
