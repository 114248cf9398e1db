//! Opens an incident that makes a component red, and resolves it, on a local server: no account is needed.
//!
//! `cargo run -p statuspage-client --example first_incident`

use std::collections::BTreeMap;
use std::error::Error;

use statuspage_client::{
    BaseUrl, Client, ComponentStatus, ComponentWrite, Incident, IncidentStatus, IncidentWrite, Token,
};
use statuspage_server::{Server, ServerOptions};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let incident = first_incident().await?;
    for update in incident.incident_updates.iter().rev() {
        let status = update.status.as_ref().map_or("", IncidentStatus::as_str);
        println!("{status}: {}", update.body.as_deref().unwrap_or_default());
    }
    Ok(())
}

async fn first_incident() -> Result<Incident, Box<dyn Error>> {
    let server = Server::open(ServerOptions {
        tokens: vec!["local-token".to_owned()],
        pages: vec!["Acme Status".parse()?],
        ..ServerOptions::default()
    })
    .await?;
    let page = server.pages().remove(0).id;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    // On Statuspage itself: BaseUrl::DEFAULT, and never without TLS.
    let base_url = BaseUrl::parse(&format!("http://{}/v1", listener.local_addr()?), false)?;
    tokio::spawn(server.serve(listener, std::future::pending()));

    let client = Client::builder(base_url, Token::new("local-token".to_owned())?).build()?;
    let page = client.page(&page);
    let component = page
        .components()
        .create(&ComponentWrite {
            name: Some("API".to_owned()),
            status: Some(ComponentStatus::Operational),
            ..ComponentWrite::default()
        })
        .await?;
    let with_status = |status: ComponentStatus| Some(BTreeMap::from([(component.id.clone(), status)]));
    let incident = page
        .incidents()
        .create(&IncidentWrite {
            name: Some("API is down".to_owned()),
            status: Some(IncidentStatus::Investigating),
            body: Some("We are looking into it.".to_owned()),
            components: with_status(ComponentStatus::MajorOutage),
            ..IncidentWrite::default()
        })
        .await?;
    let resolved = IncidentWrite {
        status: Some(IncidentStatus::Resolved),
        body: Some("It works again.".to_owned()),
        components: with_status(ComponentStatus::Operational),
        ..IncidentWrite::default()
    };
    Ok(page.incidents().update(&incident.id, &resolved).await?)
}

#[tokio::test]
async fn it_tells_both_updates() -> Result<(), Box<dyn Error>> {
    let incident = first_incident().await?;
    assert_eq!(incident.status, Some(IncidentStatus::Resolved));
    assert_eq!(incident.incident_updates.len(), 2);
    Ok(())
}
