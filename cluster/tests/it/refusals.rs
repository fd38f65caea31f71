//! Starts that must not happen, and what they say.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt},
    process,
};

use cluster::{Cluster, ClusterError, Settings};

use crate::place::{Place, volatile};

#[test]
fn a_second_process_is_told_who_was_first() -> Result<(), ClusterError> {
    let place = Place::new();
    let cluster = Cluster::start(&place.settings())?;
    let refusal = Cluster::start(&place.settings()).unwrap_err();
    assert!(refusal.to_string().contains(&format!("process {}", process::id())), "{refusal}");
    cluster.stop()
}

#[test]
fn data_of_another_version_is_explained_and_not_touched() -> Result<(), ClusterError> {
    let place = Place::new();
    Cluster::start(&place.settings())?.stop()?;
    let version = place.path().join("pgdata/PG_VERSION");
    fs::write(&version, "14\n").unwrap();

    let refusal = Cluster::start(&place.settings()).unwrap_err();
    assert!(matches!(refusal, ClusterError::OtherVersion { data: 14, .. }), "{refusal}");
    assert!(refusal.to_string().contains("pg_upgrade"), "{refusal}");
    assert_eq!(fs::read_to_string(version).unwrap(), "14\n");
    Ok(())
}

#[test]
fn a_folder_with_something_else_in_it_is_left_alone() {
    let place = Place::new();
    fs::create_dir(place.path().join("pgdata")).unwrap();
    fs::write(place.path().join("pgdata/letters.txt"), "dear").unwrap();
    let refusal = Cluster::start(&place.settings()).unwrap_err();
    assert!(matches!(refusal, ClusterError::NotACluster(_)), "{refusal}");
}

#[test]
fn a_configured_folder_without_binaries_is_an_error() {
    let place = Place::new();
    let settings = Settings { bin_dir: Some(place.path().to_owned()), ..place.settings() };
    let refusal = Cluster::start(&settings).unwrap_err();
    assert!(refusal.to_string().contains("postgres is missing"), "{refusal}");
}

#[test]
fn a_failed_start_shows_the_end_of_the_log() {
    let place = Place::new();
    let options = vec![("shared_buffers".to_owned(), "plenty".to_owned())];
    let refusal = Cluster::start(&Settings { options, ..place.settings() }).unwrap_err();
    assert!(
        refusal.to_string().contains(r#"invalid value for parameter "shared_buffers""#),
        "{refusal}"
    );
}

#[test]
fn root_is_told_which_folder_the_servers_user_cannot_enter() {
    let place = Place::new();
    let closed = place.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    if fs::metadata(&closed).unwrap().uid() != 0 {
        return; // anybody else runs the server as themselves
    }
    let refusal = Cluster::start(&volatile(&closed.join("data"))).unwrap_err();
    let ClusterError::Unreachable { folder, .. } = refusal else { panic!("{refusal}") };
    assert_eq!(folder, closed);
}

#[cfg(not(debug_assertions))]
#[test]
fn a_release_build_does_not_run_without_fsync() {
    let place = Place::new();
    let refusal = Cluster::start(&Settings { durable: false, ..place.settings() }).unwrap_err();
    assert!(matches!(refusal, ClusterError::MustBeDurable), "{refusal}");
}
