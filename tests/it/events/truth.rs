//! The log says what was done: each request that the page's server took is one event, in its order, and so is each
//! transition of a condition; whatever ends the process, and whether or not the log can be written.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use sqlx::Executor;
use statuspage_operator::audit::{AuditEvent, EventStore, Filter, UNKNOWN};
use statuspage_operator::server::{Effect, LoggedRequest};

use super::oracle::{self, Stand};
use super::{PATIENCE, Place, event, postgres};
use crate::directory::{Directory, Local, PAGE, Running, code, declaration, finish, shown, stderr};
use crate::support::eventually;

/// A page, a directory, and the log of what is done for them.
struct Scene {
    local: Local,
    directory: Directory,
    place: Place,
}

impl Scene {
    async fn new(directory: Directory) -> Scene {
        // The quickstart's page has another id.
        let page = std::fs::read_to_string(directory.path().join("page.yaml")).unwrap();
        directory.write("page.yaml", &page.replace("4kx9q2m7vt1b", PAGE));
        Scene {
            local: Local::start().await,
            directory,
            place: Place::sqlite(),
        }
    }

    fn file(&self) -> PathBuf {
        self.place.path().join("events.db")
    }

    fn command(&self, command: &str, place: &str) -> Command {
        self.local.command(&[command, self.directory.text(), "--events", place])
    }

    async fn apply(&self, place: &str) -> Output {
        let output = finish(self.command("apply", place)).await;
        assert_eq!(code(&output), 0, "{}", shown(&output));
        output
    }

    async fn events(&self) -> Vec<AuditEvent> {
        let store = EventStore::open_read_only(&self.place.location).await.unwrap();
        store.query(&Filter::default()).await.unwrap()
    }

    /// Everything that was sent to change the page, in the order of arrival.
    fn sent(&self) -> Vec<LoggedRequest> {
        let mut entries = self.local.log().entries();
        entries.retain(|entry| entry.method != "GET");
        entries
    }

    async fn unresolved(&self) -> usize {
        self.local.get("/incidents/unresolved").await.as_array().unwrap().len()
    }

    /// Each request is one event, in its order. Returns those events.
    async fn every_request_is_one_event(&self) -> Vec<AuditEvent> {
        let writes = oracle::every_request_is_one_event(PAGE, &self.sent(), &self.events().await);
        for (event, sent) in writes.iter().zip(self.sent()) {
            let told = |name: &str| event.get(name).unwrap();
            if told("operation") == "create" && told("outcome") == "succeeded" {
                let collection = sent.path.rsplit('/').next().unwrap();
                self.local.get(&format!("/{collection}/{}", told("remote_id"))).await;
            }
        }
        writes
    }

    /// Each transition is one event, and the last one of each condition ends where the report stands.
    async fn every_transition_is_one_event(&self) {
        let mut stand = Stand::new();
        for (name, report) in self.directory.reports() {
            let mut parts = name.split('/').skip(1);
            let (kind, name) = (parts.next().unwrap(), parts.next().unwrap());
            for condition in report["status"]["conditions"].as_array().unwrap() {
                let text = |field: &str| condition[field].as_str().unwrap().to_owned();
                stand.insert(
                    (kind.to_owned(), name.to_owned(), text("type")),
                    (text("status"), text("reason")),
                );
            }
        }
        oracle::every_transition_is_one_event(&self.events().await, stand);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quickstart_is_told_as_it_happened() {
    let scene = Scene::new(Directory::example("quickstart")).await;
    let file = scene.file().display().to_string();
    scene.apply(&file).await;
    let writes = scene.every_request_is_one_event().await;
    assert!(writes.len() > 22, "{}", writes.len());
    assert!(writes.iter().all(|event| event.get("outcome").unwrap() == "succeeded"));
    scene.every_transition_is_one_event().await;
    let told = scene.events().await.len();
    scene.apply(&file).await;
    assert_eq!(scene.events().await.len(), told, "what was quiet is not told");

    let mut sync = Running::start(scene.command("sync", &file));
    sync.says("22 of 22 as declared").await;
    scene
        .directory
        .edit("components.yaml", "REST and GraphQL, v2 and later.", "REST only.");
    sync.says("1 updated; 22 of 22 as declared").await;
    sync.signal("-TERM");
    assert!(sync.ends(PATIENCE).await.success());
    let writes = scene.every_request_is_one_event().await;
    assert_eq!(writes.last().unwrap().event_type, "component.update");
    assert_eq!(writes.last().unwrap().raw["changes"][0]["to"], "REST only.");
    scene.every_transition_is_one_event().await;
}

/// Applies until the end, and kills the process whenever it has sent so many requests of a method, the last of which
/// meets a fault. Returns how often.
async fn killed_again_and_again(scene: &Scene, method: &str, every: u32, effects: &[Effect]) -> usize {
    let file = scene.file().display().to_string();
    for (kills, effect) in effects.iter().cycle().enumerate() {
        let faults = scene.local.server.faults();
        faults.next(every - 1, method, "", Effect::Delay(Duration::ZERO));
        faults.next(1, method, "", effect.clone());
        let mut apply = Running::start(scene.command("apply", &file));
        let ended = eventually("the fault, or the end", PATIENCE, async || {
            let answered = |sent: &LoggedRequest| sent.status.is_some() || *effect == Effect::Ignore;
            if apply.has_ended() {
                Ok(true)
            } else if faults.pending() == 0 && scene.sent().last().is_some_and(answered) {
                Ok(false)
            } else {
                Err(format!("{} faults to come", faults.pending()))
            }
        })
        .await;
        if ended {
            assert!(apply.ends(PATIENCE).await.success());
            faults.clear();
            return kills;
        }
        apply.signal("-KILL");
        apply.ends(PATIENCE).await;
    }
    unreachable!("the effects repeat for ever")
}

/// What is told of requests whose process was killed.
async fn interruptions_are_told(scene: &Scene, kills: usize) {
    let writes = scene.every_request_is_one_event().await;
    let mut unknown = writes.clone();
    unknown.retain(|event| event.get("outcome").unwrap() == UNKNOWN);
    assert_eq!(unknown.len(), kills, "{unknown:#?}");
    let about = |event: &AuditEvent| (event.get("kind"), event.get("name"));
    let all = scene.events().await;
    let found: Vec<_> = all
        .iter()
        .filter(|event| event.event_type.ends_with(".recover"))
        .collect();
    let creates: Vec<_> = unknown
        .iter()
        .filter(|event| event.event_type.ends_with(".create"))
        .collect();
    assert_eq!(
        found.iter().map(|event| about(event)).collect::<Vec<_>>(),
        creates.iter().map(|event| about(event)).collect::<Vec<_>>(),
        "each is found again, once"
    );
    scene.every_transition_is_one_event().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_leaves_no_gap_and_nothing_twice() {
    let scene = Scene::new(Directory::example("quickstart")).await;
    let kills = killed_again_and_again(&scene, "POST", 2, &[Effect::WithholdReply]).await;
    assert!(kills > 8, "{kills}");
    interruptions_are_told(&scene, kills).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_leaves_no_gap_among_changes() {
    let scene = Scene::new(Directory::example("quickstart")).await;
    let published = killed_again_and_again(&scene, "PATCH", 1, &[Effect::WithholdReply]).await;
    assert!(published > 1, "{published}");
    interruptions_are_told(&scene, published).await;
    for (from, to) in [
        ("REST and GraphQL, v2 and later.", "REST only."),
        ("iOS and Android.", "iOS."),
        ("Full-text search and filters.", "Search."),
    ] {
        scene.directory.edit("components.yaml", from, to);
    }
    // One that was never worked on is sent again, which is another request and another event.
    let effects = [Effect::Ignore, Effect::WithholdReply];
    let changed = killed_again_and_again(&scene, "PATCH", 1, &effects).await;
    assert!(changed >= 3, "{changed}");
    interruptions_are_told(&scene, published + changed).await;
}

fn outage() -> Directory {
    let directory = Directory::new();
    let spec = [
        "name: Outage",
        "updates: [{status: investigating, body: We look into it.}]",
    ];
    directory.write("incident.yaml", &declaration("Incident", "outage", &spec));
    directory
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_in_use_is_waited_for_while_the_incident_is_out() {
    let scene = Scene::new(outage()).await;
    let before = scene
        .place
        .filled(vec![event("before", "a", "2024-03-01T10:00:00Z", "team-a")])
        .await;
    assert!(before.close(PATIENCE).await);
    let file = scene.file();
    // Somebody copies the database and holds it meanwhile.
    sqlx::any::install_default_drivers();
    let pool = sqlx::AnyPool::connect(&format!("sqlite://{}", file.display()))
        .await
        .unwrap();
    let mut holder = pool.acquire().await.unwrap();
    holder.execute("BEGIN EXCLUSIVE").await.unwrap();
    let mut apply = Running::start(scene.command("apply", &file.display().to_string()));
    eventually("the incident", PATIENCE, async || match scene.unresolved().await {
        1 => Ok(()),
        other => Err(format!("{other} incidents")),
    })
    .await;
    holder.execute("COMMIT").await.unwrap();
    drop(holder);
    pool.close().await;
    assert!(apply.ends(PATIENCE).await.success());
    scene.every_request_is_one_event().await;
    scene.every_transition_is_one_event().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_written_stops_no_incident() {
    let read_only = async {
        let scene = Scene::new(outage()).await;
        // Nobody may make files there, whoever he is.
        let output = scene.apply("/sys/statuspage-events.db").await;
        assert_eq!(scene.unresolved().await, 1);
        assert!(stderr(&output).contains("events are lost"), "{}", shown(&output));
    };
    let away = async {
        let server = postgres::Server::create("stopped");
        server.start();
        let url = server.database();
        server.stop();
        let scene = Scene::new(outage()).await;
        let output = scene.apply(&url).await;
        assert_eq!(scene.unresolved().await, 1);
        assert!(stderr(&output).contains("events are lost"), "{}", shown(&output));
    };
    let full = async {
        let scene = Scene::new(outage()).await;
        let file = scene.file().display().to_string();
        // No file grows beyond 32 KiB: enough for the lock file and the journal, not for the tables.
        let plain = scene.command("apply", &file);
        let mut limited = Command::new("sh");
        limited.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""]);
        limited.arg(plain.get_program()).args(plain.get_args());
        for (name, value) in plain.get_envs() {
            match value {
                Some(value) => limited.env(name, value),
                None => limited.env_remove(name),
            };
        }
        let output = finish(limited).await;
        assert_eq!(code(&output), 0, "{}", shown(&output));
        assert_eq!(scene.unresolved().await, 1);
        assert!(
            stderr(&output).contains("the next process with this log stores them"),
            "{}",
            shown(&output)
        );
        scene.apply(&file).await;
        scene.every_request_is_one_event().await;
        scene.every_transition_is_one_event().await;
    };
    tokio::join!(read_only, away, full);
}

#[tokio::test]
async fn a_place_that_cannot_be_is_told_at_once() {
    let scene = Scene::new(outage()).await;
    let nowhere = scene.place.path().join("nowhere/events.db").display().to_string();
    let directory = scene.place.path().display().to_string();
    let manifest = scene.directory.path().join("incident.yaml").display().to_string();
    for place in [nowhere, directory, manifest] {
        let output = finish(scene.command("apply", &place)).await;
        assert_eq!(code(&output), 1, "{place}: {}", shown(&output));
    }
    assert!(scene.sent().is_empty());
}
