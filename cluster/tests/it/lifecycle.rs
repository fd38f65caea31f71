//! Create, start, stop, start again.

use std::fs;

use cluster::{Cluster, ClusterError, Settings};

use crate::place::Place;

#[test]
fn what_was_created_is_there_after_a_restart() -> Result<(), ClusterError> {
    let place = Place::new();
    let cluster = Cluster::start(&place.settings())?;
    let before = place.databases();
    cluster.create_database("commonhold")?;
    cluster.create_database("commonhold")?; // content, as it exists
    assert_eq!(place.databases(), before + 1);
    cluster.stop()?;

    let cluster = Cluster::start(&place.settings())?;
    assert_eq!(place.databases(), before + 1);
    cluster.stop()
}

#[test]
fn a_durable_cluster_syncs_and_listens_on_no_network() -> Result<(), ClusterError> {
    let place = Place::new();
    let options = vec![("listen_addresses".to_owned(), "*".to_owned())];
    let cluster = Cluster::start(&Settings { options, ..Settings::new(place.path()) })?;
    let log = fs::read_to_string(cluster.log_file()).unwrap();
    assert!(log.contains("listening on Unix socket"), "{log}");
    assert!(!log.contains("listening on IP"), "{log}");
    cluster.stop()
}

#[test]
fn a_creation_that_was_cut_short_is_begun_anew() -> Result<(), ClusterError> {
    let place = Place::new();
    let unfinished = place.path().join("pgdata.unfinished");
    fs::create_dir(&unfinished).unwrap();
    fs::write(unfinished.join("PG_VERSION"), "15").unwrap();
    Cluster::start(&place.settings())?.stop()?;
    assert!(!unfinished.exists());
    Ok(())
}

#[test]
fn a_database_may_have_any_name() -> Result<(), ClusterError> {
    let place = Place::new();
    let cluster = Cluster::start(&place.settings())?;
    cluster.create_database("it's \"quoted\"; drop")?;
    let refused = cluster.create_database("").unwrap_err();
    assert!(matches!(refused, ClusterError::Refused(_)), "{refused}");
    cluster.stop()
}

#[test]
fn another_process_finds_a_cluster_only_while_it_runs() -> Result<(), ClusterError> {
    let place = Place::new();
    let missing = Settings::new(place.path().join("nothing"));
    assert!(Cluster::attach(&missing)?.is_none());
    assert!(Cluster::programs(&missing)?.0.join("initdb").is_file());
    assert!(!missing.data_dir.exists());
    assert!(Cluster::attach(&place.settings())?.is_none());

    let cluster = Cluster::start(&place.settings())?;
    let attached = Cluster::attach(&place.settings())?.map(|attached| attached.url("postgres"));
    assert_eq!(attached, Some(cluster.url("postgres")));
    cluster.stop()?;
    assert!(Cluster::attach(&place.settings())?.is_none());
    Ok(())
}
