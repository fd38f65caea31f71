//! Each rule of an identity provider, as past facts, a command and what follows.

use uuid::Uuid;

use super::*;
use crate::kernel::testing::given;

fn settings(domains: &[&str]) -> Settings {
    Settings {
        display_name: "Example sign-on".into(),
        issuer: Some("https://login.example.org".into()),
        client_id: Some("commonhold".into()),
        email_domains: domains.iter().map(|&name| name.to_owned()).collect(),
        ..Settings::default()
    }
}

fn configure() -> Configure {
    Configure {
        identity_provider_id: IdentityProviderId::from_uuid(Uuid::from_u128(4)),
        organization_id: OrganizationId::from_uuid(Uuid::from_u128(1)),
        kind: IdentityProviderKind::Oidc,
        settings: settings(&["a.org", "b.org"]),
    }
}

fn configured() -> IdentityProviderEvent {
    configure().decide().unwrap().remove(0)
}

fn update(domains: &[&str]) -> IdentityProviderCommand {
    IdentityProviderCommand::Update(Box::new(settings(domains)))
}

fn challenge(domain: &str) -> IdentityProviderCommand {
    IdentityProviderCommand::ChallengeDomain { domain: domain.into(), token: "token".into() }
}

fn challenged(domain: &str) -> IdentityProviderEvent {
    IdentityProviderEvent::DomainChallenged { domain: domain.into(), token: "token".into() }
}

fn verify(domain: &str, found: &[&str]) -> IdentityProviderCommand {
    IdentityProviderCommand::VerifyDomain {
        domain: domain.into(),
        method: VerificationMethod::DnsTxt,
        found: found.iter().map(|&text| text.to_owned()).collect(),
    }
}

fn verified(domain: &str, all: &[&str]) -> IdentityProviderEvent {
    IdentityProviderEvent::DomainVerified {
        domain: domain.into(),
        method: VerificationMethod::DnsTxt,
        verified_domains: all.iter().map(|&name| name.to_owned()).collect(),
    }
}

fn enable(enforce_sso: bool) -> IdentityProviderCommand {
    IdentityProviderCommand::Enable { enforce_sso }
}

fn enabled(enforce_sso: bool) -> IdentityProviderEvent {
    IdentityProviderEvent::Enabled { enforce_sso }
}

fn disable() -> IdentityProviderCommand {
    IdentityProviderCommand::Disable { reason: "moving".into() }
}

fn disabled() -> IdentityProviderEvent {
    IdentityProviderEvent::Disabled { reason: "moving".into() }
}

fn ready() -> Vec<IdentityProviderEvent> {
    vec![configured(), challenged("a.org"), verified("a.org", &["a.org"])]
}

fn active() -> Vec<IdentityProviderEvent> {
    [ready(), vec![enabled(false)]].concat()
}

#[test]
fn it_starts_as_a_draft_of_the_organization() {
    let command = || IdentityProviderCommand::Configure(Box::new(configure()));
    let state = given::<IdentityProvider>([]).when(command()).then_state();
    assert_eq!(state.present().unwrap().status, IdentityProviderStatus::Draft);
    assert_eq!(state.tenant(), configure().organization_id.tenant());
    assert_eq!(state.subject(), Some(configure().organization_id.key()));
    given::<IdentityProvider>([configured()])
        .when(command())
        .then_err(IdentityProviderError::IdRetired);
}

#[test]
fn nothing_can_be_asked_before_it_exists() {
    let remove = IdentityProviderCommand::Remove;
    for command in [update(&[]), challenge("a.org"), enable(false), disable(), remove] {
        given::<IdentityProvider>([]).when(command).then_err(IdentityProviderError::Missing);
    }
}

#[test]
fn incomplete_settings_are_refused_first_and_later() {
    let incomplete = Settings::default();
    let refusal = || IdentityProviderError::from(SettingsError::OidcIncomplete);
    let first = Configure { settings: incomplete.clone(), ..configure() };
    given::<IdentityProvider>([])
        .when(IdentityProviderCommand::Configure(Box::new(first)))
        .then_err(refusal());
    given::<IdentityProvider>([configured()])
        .when(IdentityProviderCommand::Update(Box::new(incomplete)))
        .then_err(refusal());
}

#[test]
fn a_domain_is_verified_by_the_token_that_was_asked_for() {
    given::<IdentityProvider>([configured()]).when(challenge("A.org")).then([challenged("a.org")]);
    let history = [configured(), challenged("b.org"), challenged("a.org")];
    given::<IdentityProvider>(history.clone())
        .when(verify("A.org", &["other", "token"]))
        .then([verified("a.org", &["a.org"])]);
    given::<IdentityProvider>([&history[..], &[verified("b.org", &["b.org"])]].concat())
        .when(verify("a.org", &["token"]))
        .then([verified("a.org", &["a.org", "b.org"])]);
    given::<IdentityProvider>(history)
        .when(verify("a.org", &["other"]))
        .then_err(IdentityProviderError::ProofMissing("a.org".into()));
    given::<IdentityProvider>([configured()])
        .when(verify("a.org", &["token"]))
        .then_err(IdentityProviderError::NotChallenged("a.org".into()));
    for command in [challenge("c.org"), verify("c.org", &["token"])] {
        given::<IdentityProvider>([configured()])
            .when(command)
            .then_err(IdentityProviderError::DomainUnknown("c.org".into()));
    }
}

#[test]
fn a_verified_domain_is_not_asked_again() {
    for command in [challenge("a.org"), verify("a.org", &[])] {
        given::<IdentityProvider>(ready()).when(command).then([]);
    }
}

#[test]
fn a_domain_that_goes_takes_its_verification_with_it() {
    let updated = |all: &[&str], verified: &[&str]| IdentityProviderEvent::Updated {
        settings: settings(all),
        verified_domains: verified.iter().map(|&name| name.to_owned()).collect(),
        enforce_sso: false,
        owner_came_in: false,
    };
    given::<IdentityProvider>(ready())
        .when(update(&["c.org", "a.org"]))
        .then([updated(&["a.org", "c.org"], &["a.org"])]);
    given::<IdentityProvider>(ready()).when(update(&["b.org"])).then([updated(&["b.org"], &[])]);
    given::<IdentityProvider>(ready()).when(update(&["b.org", "a.org"])).then([]);
    given::<IdentityProvider>([
        configured(),
        challenged("a.org"),
        updated(&["b.org"], &[]),
        updated(&["a.org"], &[]),
    ])
    .when(verify("a.org", &["token"]))
    .then_err(IdentityProviderError::NotChallenged("a.org".into()));
}

#[test]
fn sign_on_needs_a_verified_domain_from_first_to_last() {
    given::<IdentityProvider>([configured()])
        .when(enable(false))
        .then_err(IdentityProviderError::NoVerifiedDomain);
    given::<IdentityProvider>(ready()).when(enable(false)).then([enabled(false)]);
    given::<IdentityProvider>(active()).when(enable(false)).then([]);
    given::<IdentityProvider>(active())
        .when(update(&["b.org"]))
        .then_err(IdentityProviderError::NoVerifiedDomain);
}

#[test]
fn it_becomes_the_only_way_in_after_an_owner_came_that_way() {
    let login = || IdentityProviderCommand::RecordOwnerLogin;
    let recorded = IdentityProviderEvent::OwnerLoginRecorded {};
    given::<IdentityProvider>(active())
        .when(enable(true))
        .then_err(IdentityProviderError::NoOwnerLogin);
    given::<IdentityProvider>(active()).when(login()).then([recorded.clone()]);
    given::<IdentityProvider>(ready())
        .when(login())
        .then_err(IdentityProviderError::WrongStatus(IdentityProviderStatus::Draft));
    let known = [active(), vec![recorded]].concat();
    given::<IdentityProvider>(known.clone()).when(login()).then([]);
    given::<IdentityProvider>(known).when(enable(true)).then([enabled(true)]);
}

#[test]
fn another_way_in_is_not_the_only_one_before_an_owner_came_by_it() {
    let update = |settings| IdentityProviderCommand::Update(Box::new(settings));
    let enforced = [active(), vec![IdentityProviderEvent::OwnerLoginRecorded {}, enabled(true)]];
    let enforced = enforced.concat();
    let renamed = Settings { display_name: "Sign on".into(), ..settings(&["a.org", "b.org"]) };
    let state = given::<IdentityProvider>(enforced.clone()).when(update(renamed)).then_state();
    assert!(state.present().unwrap().enforces_sso);
    let url = || Some("https://elsewhere.example.org".to_owned());
    let own = settings(&["a.org", "b.org"]);
    for other in [
        Settings { issuer: url(), ..own.clone() },
        Settings { discovery_url: url(), ..own.clone() },
        Settings { client_id: Some("another".into()), ..own.clone() },
        Settings { saml_entity_id: url(), ..own.clone() },
        Settings { saml_sso_url: url(), ..own.clone() },
        Settings { saml_metadata: Some("<EntityDescriptor/>".into()), ..own },
    ] {
        let updated = IdentityProviderEvent::Updated {
            settings: other.clone(),
            verified_domains: vec!["a.org".into()],
            enforce_sso: false,
            owner_came_in: false,
        };
        given::<IdentityProvider>(enforced.clone()).when(update(other)).then([updated.clone()]);
        given::<IdentityProvider>([&enforced[..], &[updated]].concat())
            .when(enable(true))
            .then_err(IdentityProviderError::NoOwnerLogin);
    }
}

#[test]
fn disabled_it_enforces_nothing() {
    given::<IdentityProvider>(active()).when(disable()).then([disabled()]);
    let enforced = [active(), vec![IdentityProviderEvent::OwnerLoginRecorded {}, enabled(true)]];
    let state = given::<IdentityProvider>(enforced.concat()).when(disable()).then_state();
    assert!(!state.present().unwrap().enforces_sso);
    given::<IdentityProvider>([active(), vec![disabled()]].concat()).when(disable()).then([]);
    given::<IdentityProvider>(ready())
        .when(disable())
        .then_err(IdentityProviderError::WrongStatus(IdentityProviderStatus::Draft));
    given::<IdentityProvider>([active(), vec![disabled()]].concat())
        .when(enable(false))
        .then([enabled(false)]);
}

#[test]
fn removed_it_frees_its_domains_and_refuses_everything() {
    let removed = IdentityProviderEvent::Removed { released_domains: vec!["a.org".into()] };
    given::<IdentityProvider>(ready())
        .when(IdentityProviderCommand::Remove)
        .then([removed.clone()]);
    let gone = [ready(), vec![removed]].concat();
    for command in [update(&[]), challenge("a.org"), IdentityProviderCommand::Remove] {
        given::<IdentityProvider>(gone.clone())
            .when(command)
            .then_err(IdentityProviderError::Missing);
    }
    given::<IdentityProvider>(gone)
        .when(IdentityProviderCommand::Configure(Box::new(configure())))
        .then_err(IdentityProviderError::IdRetired);
}
