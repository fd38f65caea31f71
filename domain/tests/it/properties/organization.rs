//! What holds for every aggregate of this module, whatever is asked of it in whatever order.

use std::{collections::BTreeSet, fmt::Debug};

use chrono::TimeDelta;
use domain::{
    identity::{PersonId, UserId},
    kernel::{Aggregate, TextEnum, Timestamp, replay, testing::at},
    organization::{
        ApiKeyId, Author, IdentityProviderId, InvitationId, OrganizationId, Principal,
        PrincipalKind, RoleAssignmentId, RoleId, Scope, ScopeKind, ServicePrincipalId, WorkspaceId,
        identity_provider::{
            Configure, IdentityProvider, IdentityProviderCommand, IdentityProviderKind,
            IdentityProviderStatus, Settings, VerificationMethod,
        },
        invitation::{Invitation, InvitationCommand, InvitationStatus, Invite, MAX_SENDS, Proof},
        membership::{self, Membership, MembershipCommand, MembershipSource},
        organization::{
            self, Organization, OrganizationCommand, OrganizationKind, OrganizationStatus,
            OrganizationType,
        },
        role::{self, Content, Define, Role, RoleAction, RoleCommand},
        role_assignment::{Assign, RoleAssignment, RoleAssignmentCommand},
        service_principal::{
            self, IssueKey, MAX_CURRENT_KEYS, NewKey, RotateKey, ServicePrincipal,
            ServicePrincipalCommand,
        },
        workspace::{self, Workspace, WorkspaceCommand},
    },
};
use proptest::{
    collection::vec,
    option,
    prelude::{Just, Strategy, TestCaseError, any, prop_assert, prop_assert_eq, proptest},
    prop_oneof, sample,
};
use uuid::Uuid;

const HOUR: i64 = 3_600;
const KNOWN: [&str; 2] = ["organization.membership.read", "organization.invitation.create"];
const PERMISSIONS: [&str; 3] = [KNOWN[0], KNOWN[1], "no.such.thing"];

/// Commands, each some seconds after the one before.
fn requests<C: Debug>(commands: impl Strategy<Value = C>) -> impl Strategy<Value = Vec<(C, i64)>> {
    vec((commands, 0..2 * HOUR), 0..60)
}

/// Asks one after another. Facts survive JSON, and folding them as they come gives what folding
/// all of them later gives. `holds` is asked after each command.
fn run<A: Aggregate + PartialEq + Debug>(
    requests: &[(A::Command, i64)],
    holds: impl Fn(&A, Timestamp) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let (mut state, mut history, mut now) = (A::default(), Vec::new(), at(0));
    for (command, seconds) in requests {
        now += TimeDelta::seconds(*seconds);
        for event in state.decide(command, now).unwrap_or_default() {
            let json = serde_json::to_string(&event).map_err(fail)?;
            prop_assert_eq!(&event, &serde_json::from_str(&json).map_err(fail)?);
            state = state.evolve(&event);
            history.push(event);
        }
        holds(&state, now)?;
    }
    prop_assert_eq!(state, replay::<A>(&history));
    Ok(())
}

fn fail(error: serde_json::Error) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}

/// For aggregates of which nothing more is promised here.
fn anything<A>(_: &A, _: Timestamp) -> Result<(), TestCaseError> {
    Ok(())
}

fn one_of<T: TextEnum + Debug>() -> impl Strategy<Value = T> {
    sample::select(T::ALL)
}

fn text() -> impl Strategy<Value = String> {
    sample::select(vec!["one", "two", "three"]).prop_map(str::to_owned)
}

fn texts(of: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    sample::subsequence(of, 0..=of.len())
        .prop_map(|names| names.into_iter().map(str::to_owned).collect())
}

fn instant() -> impl Strategy<Value = Timestamp> {
    (0..40 * HOUR).prop_map(at)
}

fn id() -> impl Strategy<Value = Uuid> {
    (1_u128..6).prop_map(Uuid::from_u128)
}

fn user() -> impl Strategy<Value = UserId> {
    id().prop_map(UserId::from_uuid)
}

fn organization() -> OrganizationId {
    OrganizationId::from_uuid(Uuid::from_u128(1))
}

fn author() -> impl Strategy<Value = Author> {
    prop_oneof![
        3 => Just(Author::System),
        1 => texts(&KNOWN).prop_map(|held| Author::Holding(BTreeSet::from_iter(held))),
    ]
}

fn organization_command() -> impl Strategy<Value = OrganizationCommand> {
    use OrganizationCommand as C;
    let create = (one_of::<OrganizationType>(), one_of::<OrganizationKind>(), user());
    let create = (create, option::of(instant())).prop_map(|((r#type, kind, owner), trial)| {
        C::Create(organization::Create {
            organization_id: organization(),
            slug: "acme".into(),
            name: "Acme".into(),
            r#type,
            kind,
            owner_user_id: owner,
            parent_organization_id: None,
            country: None,
            locale: "en".into(),
            timezone: "UTC".into(),
            trial_ends_at: trial,
        })
    });
    let life = prop_oneof![
        instant().prop_map(|ends_at| C::StartTrial { ends_at }),
        instant().prop_map(|ends_at| C::ExtendTrial { ends_at }),
        text().prop_map(|reason| C::Activate { reason }),
        text().prop_map(|reason| C::Freeze { reason, by_policy: None }),
        Just(C::Unfreeze),
        (text(), any::<bool>())
            .prop_map(|(reason, by_operator)| C::Archive { reason, by_operator }),
        Just(C::Restore),
        Just(C::Purge { key_ids: vec![] }),
    ];
    let setting = (text(), prop_oneof![Just(serde_json::Value::Null), Just(1.into())]);
    let content = prop_oneof![
        text().prop_map(|name| C::Rename { name }),
        text().prop_map(|slug| C::ChangeSlug { slug }),
        user().prop_map(|user_id| C::AddOwner { user_id }),
        user().prop_map(|user_id| C::RemoveOwner { user_id }),
        text().prop_map(|label| C::SetPlanLabel { label }),
        (text(), text()).prop_map(|(system, r#ref)| C::SetExternalRef { system, r#ref }),
        vec(setting, 0..3)
            .prop_map(|changed| C::UpdateSettings { changed: changed.into_iter().collect() }),
    ];
    prop_oneof![create, life, content]
}

fn workspace_command() -> impl Strategy<Value = WorkspaceCommand> {
    use WorkspaceCommand as C;
    let create = any::<bool>().prop_map(|is_default| {
        C::Create(workspace::Create {
            workspace_id: WorkspaceId::from_uuid(Uuid::from_u128(2)),
            organization_id: organization(),
            slug: "main".into(),
            name: "Main".into(),
            description: None,
            is_default,
        })
    });
    let rename = (text(), option::of(text()))
        .prop_map(|(name, description)| C::Rename { name, description });
    prop_oneof![create, rename, Just(C::Archive), Just(C::Restore)]
}

fn membership_command() -> impl Strategy<Value = MembershipCommand> {
    use MembershipCommand as C;
    let add = (id(), one_of::<MembershipSource>(), option::of(text())).prop_map(
        |(person, source, title)| {
            C::Add(membership::Add {
                organization_id: organization(),
                user_id: UserId::from_uuid(Uuid::from_u128(7)),
                person_id: PersonId::from_uuid(person),
                source,
                identity_provider_id: None,
                title,
            })
        },
    );
    prop_oneof![
        2 => add,
        1 => (text(), any::<bool>()).prop_map(|(reason, is_owner)| C::Suspend { reason, is_owner }),
        1 => Just(C::Reinstate),
        1 => (text(), any::<bool>()).prop_map(|(reason, is_owner)| C::Remove { reason, is_owner }),
        1 => any::<bool>().prop_map(|is_owner| C::Leave { is_owner }),
        1 => option::of(text()).prop_map(|title| C::SetTitle { title }),
        1 => id().prop_map(|id| C::ChangePerson { person_id: PersonId::from_uuid(id) }),
    ]
}

fn invitation_command() -> impl Strategy<Value = InvitationCommand> {
    use InvitationCommand as C;
    let invite = (text(), text(), option::of(text()), instant()).prop_map(
        |(email_digest, token_hash, message, expires_at)| {
            C::Invite(Box::new(Invite {
                invitation_id: InvitationId::from_uuid(Uuid::from_u128(3)),
                organization_id: organization(),
                workspace_id: None,
                email: "ada@example.org".into(),
                email_digest,
                role_ids: vec![],
                token_hash,
                invited_by: UserId::from_uuid(Uuid::from_u128(7)),
                message,
                expires_at,
            }))
        },
    );
    let proof = || {
        (vec(text(), 0..3), option::of(text()))
            .prop_map(|(email_digests, token_hash)| Proof { email_digests, token_hash })
    };
    prop_oneof![
        4 => invite,
        30 => (text(), 2..12_i16, instant())
            .prop_map(|(token_hash, count, expires_at)| C::Resend { token_hash, count, expires_at }),
        1 => (user(), proof()).prop_map(|(user_id, proof)| C::Accept { user_id, proof }),
        1 => proof().prop_map(|proof| C::Decline { proof }),
        1 => Just(C::Revoke),
        1 => Just(C::Expire),
    ]
}

fn content() -> impl Strategy<Value = Content> {
    (text(), option::of(text()), vec(one_of::<ScopeKind>(), 0..4), texts(&PERMISSIONS)).prop_map(
        |(name, description, scopes, permissions)| Content {
            name,
            description,
            scopes,
            permissions,
        },
    )
}

fn role_command() -> impl Strategy<Value = RoleCommand> {
    use RoleAction as A;
    let owner = sample::select(vec![None, Some(organization())]);
    let define = (owner, content()).prop_map(|(organization_id, content)| {
        A::Define(Define {
            role_id: RoleId::from_uuid(Uuid::from_u128(5)),
            organization_id,
            key: "host".into(),
            content,
        })
    });
    let action = prop_oneof![
        6 => define,
        6 => content().prop_map(A::Update),
        6 => texts(&PERMISSIONS).prop_map(A::AddPermissions),
        6 => texts(&PERMISSIONS).prop_map(A::RemovePermissions),
        1 => Just(A::Archive),
    ];
    (author(), action).prop_map(|(author, action)| RoleCommand { author, action })
}

fn role_assignment_command() -> impl Strategy<Value = RoleAssignmentCommand> {
    use RoleAssignmentCommand as C;
    let scope = sample::select(vec![
        Scope::Platform,
        Scope::Organization(organization()),
        Scope::Workspace(organization(), WorkspaceId::from_uuid(Uuid::from_u128(2))),
    ]);
    let owner = sample::select(vec![None, Some(organization())]);
    let role =
        (owner, content(), any::<bool>()).prop_map(|(organization_id, content, archived)| {
            role::Present {
                id: RoleId::from_uuid(Uuid::from_u128(5)),
                organization_id,
                key: "host".into(),
                content,
                is_archived: archived,
            }
        });
    let whom = (one_of::<PrincipalKind>(), id(), any::<bool>());
    let assign = (role, scope, whom, author(), option::of(instant())).prop_map(
        |(role, scope, (kind, id, member_active), author, expires_at)| {
            C::Assign(Box::new(Assign {
                role_assignment_id: RoleAssignmentId::from_uuid(Uuid::from_u128(6)),
                role,
                principal: Principal { kind, id },
                scope,
                member_active,
                author,
                granted_by: id,
                expires_at,
                reason: None,
            }))
        },
    );
    prop_oneof![
        8 => assign,
        1 => (text(), id()).prop_map(|(reason, revoked_by)| C::Revoke { reason, revoked_by }),
        1 => Just(C::Expire),
    ]
}

fn key_id() -> impl Strategy<Value = ApiKeyId> {
    id().prop_map(ApiKeyId::from_uuid)
}

fn new_key() -> impl Strategy<Value = NewKey> {
    (key_id(), option::weighted(0.2, instant()), id(), author()).prop_map(
        |(key_id, expires_at, created_by, author)| NewKey {
            key_id,
            prefix: "chk_12345678".into(),
            secret_hash: "$argon2id$hash".into(),
            expires_at,
            created_by,
            author,
        },
    )
}

fn service_principal_command() -> impl Strategy<Value = ServicePrincipalCommand> {
    use ServicePrincipalCommand as C;
    let create = Just(C::Create(service_principal::Create {
        service_principal_id: ServicePrincipalId::from_uuid(Uuid::from_u128(9)),
        organization_id: organization(),
        workspace_id: None,
        name: "Import".into(),
    }));
    let issue = (new_key(), text(), texts(&PERMISSIONS))
        .prop_map(|(key, name, scopes)| C::IssueKey(Box::new(IssueKey { key, name, scopes })));
    let rotate = (new_key(), key_id(), instant()).prop_map(|(key, old_key_id, overlap_until)| {
        C::RotateKey(Box::new(RotateKey { key, old_key_id, overlap_until }))
    });
    prop_oneof![
        8 => create,
        12 => issue,
        8 => rotate,
        4 => (key_id(), text(), id())
            .prop_map(|(key_id, reason, revoked_by)| C::RevokeKey { key_id, reason, revoked_by }),
        4 => (key_id(), option::of(text())).prop_map(|(key_id, ip)| C::RecordKeyUse { key_id, ip }),
        1 => (text(), id()).prop_map(|(reason, revoked_by)| C::Disable { reason, revoked_by }),
    ]
}

const DOMAINS: [&str; 2] = ["a.org", "B.org"];

fn settings() -> impl Strategy<Value = Settings> {
    (text(), texts(&DOMAINS)).prop_map(|(display_name, email_domains)| Settings {
        display_name,
        issuer: Some("https://login.example.org".into()),
        client_id: Some("commonhold".into()),
        email_domains,
        ..Settings::default()
    })
}

fn identity_provider_command() -> impl Strategy<Value = IdentityProviderCommand> {
    use IdentityProviderCommand as C;
    let domain = || sample::select(DOMAINS.to_vec()).prop_map(str::to_owned);
    let configure = (one_of::<IdentityProviderKind>(), settings()).prop_map(|(kind, settings)| {
        C::Configure(Box::new(Configure {
            identity_provider_id: IdentityProviderId::from_uuid(Uuid::from_u128(4)),
            organization_id: organization(),
            kind,
            settings,
        }))
    });
    prop_oneof![
        8 => configure,
        2 => settings().prop_map(|settings| C::Update(Box::new(settings))),
        8 => domain()
            .prop_map(|domain| C::ChallengeDomain { domain, token: "one".into() }),
        8 => (domain(), one_of::<VerificationMethod>(), vec(text(), 0..4))
            .prop_map(|(domain, method, found)| C::VerifyDomain { domain, method, found }),
        8 => any::<bool>().prop_map(|enforce_sso| C::Enable { enforce_sso }),
        2 => text().prop_map(|reason| C::Disable { reason }),
        4 => Just(C::RecordOwnerLogin),
        1 => Just(C::Remove),
    ]
}

proptest! {
    #[test]
    fn an_organization_that_is_not_archived_has_an_owner(
        requests in requests(organization_command())
    ) {
        run::<Organization>(&requests, |organization, _| {
            let Ok(present) = organization.present() else { return Ok(()) };
            prop_assert!(present.status == OrganizationStatus::Archived || !present.owners.is_empty());
            Ok(())
        })?;
    }

    #[test]
    fn a_default_workspace_is_never_archived(requests in requests(workspace_command())) {
        run::<Workspace>(&requests, |workspace, _| {
            let Ok(present) = workspace.present() else { return Ok(()) };
            prop_assert!(!present.is_default || workspace.open().is_ok());
            Ok(())
        })?;
    }

    #[test]
    fn memberships_fold_as_they_replay(requests in requests(membership_command())) {
        run::<Membership>(&requests, anything)?;
    }

    #[test]
    fn an_invitation_is_sent_a_bounded_number_of_times(
        requests in requests(invitation_command())
    ) {
        run::<Invitation>(&requests, |invitation, _| {
            let sends = invitation.present().map_or(0, |present| present.sends);
            prop_assert!(sends <= MAX_SENDS);
            Ok(())
        })?;
    }

    #[test]
    fn an_invitation_knows_the_address_only_while_it_waits(
        requests in requests(invitation_command())
    ) {
        run::<Invitation>(&requests, |invitation, _| {
            let Ok(present) = invitation.present() else { return Ok(()) };
            let waits = present.status == InvitationStatus::Pending;
            prop_assert_eq!(present.email.open().is_some(), waits);
            Ok(())
        })?;
    }

    #[test]
    fn a_role_holds_known_permissions_and_scopes_that_suit_it(
        requests in requests(role_command())
    ) {
        run::<Role>(&requests, |role, _| {
            let Ok(present) = role.present() else { return Ok(()) };
            let Content { scopes, permissions, .. } = &present.content;
            prop_assert!(permissions.iter().all(|name| domain::permissions::is_known(name)));
            prop_assert!(permissions.is_sorted() && scopes.is_sorted() && !scopes.is_empty());
            let own = present.organization_id.is_some();
            prop_assert!(!own || !scopes.contains(&ScopeKind::Platform));
            Ok(())
        })?;
    }

    #[test]
    fn role_assignments_fold_as_they_replay(requests in requests(role_assignment_command())) {
        run::<RoleAssignment>(&requests, anything)?;
    }

    #[test]
    fn at_most_two_keys_are_current(requests in requests(service_principal_command())) {
        run::<ServicePrincipal>(&requests, |principal, now| {
            let current = principal.keys().filter(|(_, key)| key.is_current(now)).count();
            prop_assert!(current <= MAX_CURRENT_KEYS);
            let disabled = principal.present().is_ok_and(|present| present.is_disabled);
            prop_assert!(!disabled || principal.keys().all(|(_, key)| !key.is_live(now)));
            Ok(())
        })?;
    }

    #[test]
    fn sign_on_stands_on_verified_domains(requests in requests(identity_provider_command())) {
        run::<IdentityProvider>(&requests, |provider, _| {
            let Ok(present) = provider.present() else { return Ok(()) };
            let verified = &present.verified_domains;
            let all = &present.settings.email_domains;
            prop_assert!(verified.iter().all(|domain| all.contains(domain)));
            let active = present.status == IdentityProviderStatus::Active;
            prop_assert!(!active || !verified.is_empty());
            prop_assert!(active || !present.enforces_sso);
            Ok(())
        })?;
    }
}
