//! HTTPS with a certificate that is renewed while the server runs.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use statuspage_operator::admin::{Listening, TlsError, TlsFiles, events};
use statuspage_operator::audit::{AuditLog, AuditOptions, Location};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::{Running, Setup};
use crate::support::control_plane::install_crypto;
use crate::support::{binaries, process};

/// Makes an authority with a certificate for the loopback address.
pub(crate) fn authority(directory: &Path) {
    let mut command = Command::new(binaries::warden().unwrap());
    command.arg("pki").arg(directory);
    let output = process::run(command, b"", Duration::from_secs(60)).unwrap();
    assert!(output.status.success());
}

pub(crate) fn client(directory: &Path) -> reqwest::Client {
    let pem = std::fs::read(directory.join("ca.crt")).unwrap();
    let certificate = reqwest::Certificate::from_pem(&pem).unwrap();
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([certificate])
        .build()
        .unwrap()
}

async fn asks(running: &Running, client: &reqwest::Client) -> Result<reqwest::Response, reqwest::Error> {
    let url = format!("https://{}/api/v1/ready/", running.address);
    client.get(url).send().await
}

#[tokio::test]
async fn a_renewed_certificate_is_served_and_a_broken_one_is_not() {
    install_crypto();
    let directory = tempfile::tempdir().unwrap();
    let [old, new, served] = ["old", "new", "served"].map(|name| directory.path().join(name));
    authority(&old);
    authority(&new);
    std::fs::create_dir(&served).unwrap();
    let install = |from: &Path| {
        for name in ["apiserver.crt", "apiserver.key"] {
            // As tools that renew certificates do: written beside, then renamed.
            let beside = served.join(format!("{name}.new"));
            std::fs::copy(from.join(name), &beside).unwrap();
            std::fs::rename(&beside, served.join(name)).unwrap();
        }
    };
    install(&old);
    let files = TlsFiles::open(served.join("apiserver.crt"), served.join("apiserver.key")).unwrap();
    let setup = Setup {
        tls: Some(files),
        ..Setup::default()
    };
    let running = Running::with(setup).await;

    let response = asks(&running, &client(&old)).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers().contains_key("strict-transport-security"));
    assert!(asks(&running, &client(&new)).await.is_err());

    install(&new);
    assert_eq!(asks(&running, &client(&new)).await.unwrap().status(), 200);
    assert!(asks(&running, &client(&old)).await.is_err());

    std::fs::write(served.join("apiserver.crt"), "no certificate").unwrap();
    assert_eq!(asks(&running, &client(&new)).await.unwrap().status(), 200);
    install(&old);
    assert_eq!(asks(&running, &client(&old)).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_peer_that_says_nothing_stops_nobody() {
    install_crypto();
    let directory = tempfile::tempdir().unwrap();
    authority(directory.path());
    let file = |name: &str| directory.path().join(name);
    let files = TlsFiles::open(file("apiserver.crt"), file("apiserver.key")).unwrap();
    let log = AuditLog::open(AuditOptions::new(Location::Memory)).await.unwrap();
    let setup = Setup {
        tls: Some(files),
        mounts: vec![events::mount(log)],
        limits: statuspage_operator::admin::Limits {
            head_time: Duration::from_millis(300),
            ..Default::default()
        },
        ..Setup::default()
    };
    let running = Running::with(setup).await;
    // Links are those of the server.
    let url = format!("https://{}/", running.address);
    let versions = super::body(client(directory.path()).get(url).send().await.unwrap()).await;
    let link = versions["versions"]["values"][0]["links"][0]["href"].as_str().unwrap();
    assert_eq!(link, format!("https://{}/v2", running.address));
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    assert_eq!(asks(&running, &client(directory.path())).await.unwrap().status(), 200);
    // It is let go in time.
    let mut rest = Vec::new();
    let _ = silent.read_to_end(&mut rest).await;
    assert_eq!(rest, b"");
    assert!(matches!(
        TlsFiles::open(file("apiserver.crt"), file("admin.key")),
        Err(TlsError::Unusable(_))
    ));
    assert!(matches!(
        TlsFiles::open(file("nope"), file("nope")),
        Err(TlsError::Read { .. })
    ));
    let plain = Listening::bind("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
    assert_eq!(plain.scheme(), "http");
}
