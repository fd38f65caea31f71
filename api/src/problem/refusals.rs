//! The codes of the aggregates' refusals, so that each has a page.

crate::problem_codes! {
    /// Codes of aggregates. The aggregate decides; this table only explains.
    DOMAIN;

    ID_RETIRED = 409 "id-retired" {
        title: "This id was already used",
        cause: "An id is never used twice, also after its thing is gone.",
        fix: "Leave the id to the platform, or read the existing thing.",
    }
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
}
