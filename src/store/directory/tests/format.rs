//! The lock file as text: what people, merges and earlier versions make of it.

use std::collections::BTreeSet;

use super::*;

const MANIFESTS: &str = include_str!("version-1.yaml");
/// As the version before wrote it.
const VERSION_1: &str = include_str!("version-1.lock.json");

fn lock_of(root: &Path) -> PathBuf {
    root.join("statuspage.lock.json")
}

/// A directory whose components are all on record, and its lock file.
async fn recorded(count: usize) -> (tempfile::TempDir, String) {
    let directory = directory(count);
    let store = opened(directory.path());
    for number in 0..count {
        create(&store, number).await;
    }
    store.settle().await.unwrap();
    drop(store);
    let text = fs::read_to_string(lock_of(directory.path())).unwrap();
    (directory, text)
}

/// Opens a directory with this lock file.
fn with_lock(root: &Path, text: &str) -> Result<DirectoryStore, LockError> {
    fs::write(lock_of(root), text).unwrap();
    let options = DirectoryOptions {
        read_only: true,
        ..DirectoryOptions::default()
    };
    match DirectoryStore::open(root, options) {
        Ok((store, _)) => Ok(store),
        Err(DirectoryError::Lock(error)) => {
            assert_eq!(fs::read_to_string(lock_of(root)).unwrap(), text, "it is left as it is");
            Err(error)
        }
        Err(other) => panic!("{other}"),
    }
}

fn refused(root: &Path, text: &str) -> String {
    with_lock(root, text).err().map(|error| error.to_string()).unwrap()
}

fn lines_of(text: &str) -> BTreeSet<&str> {
    text.lines().collect()
}

#[tokio::test]
async fn an_object_is_a_line_and_a_change_of_one_is_one_line_of_a_diff() {
    let (directory, before) = recorded(50).await;
    let objects: Vec<&str> = before.lines().filter(|line| line.starts_with("\"default/")).collect();
    assert_eq!(objects.len(), 50, "{before}");
    assert!(objects.is_sorted() && objects.iter().all(|line| line.ends_with("},")));
    let whole: serde_json::Value = serde_json::from_str(&before).unwrap();
    assert_eq!(whole["version"], 2);

    let store = opened(directory.path());
    let known = component(&store, 49);
    let mut status = known.status.clone();
    Arc::make_mut(&mut status)
        .object_mut()
        .applied
        .insert("name".to_owned(), "0123456789".to_owned());
    store.write(&known, StoreChange::Status(status)).await.unwrap();
    store.settle().await.unwrap();
    drop(store);
    let after = fs::read_to_string(lock_of(directory.path())).unwrap();
    let changed = lines_of(&after).difference(&lines_of(&before)).count();
    assert_eq!((changed, after.lines().count()), (1, before.lines().count()), "{after}");

    let mut manifests = fs::read_to_string(directory.path().join("page.yaml")).unwrap();
    let more = manifests
        .rsplit("---")
        .next()
        .unwrap()
        .replace("name: c49}", "name: c99}");
    manifests.push_str(&format!("---{more}"));
    fs::write(directory.path().join("page.yaml"), manifests).unwrap();
    let store = opened(directory.path());
    create(&store, 99).await;
    store.settle().await.unwrap();
    let longer = fs::read_to_string(store.lock_path()).unwrap();
    let new: Vec<&str> = lines_of(&longer).difference(&lines_of(&after)).copied().collect();
    assert_eq!(new.len(), 1, "the last line needs no comma of its own: {new:?}");
    assert!(lines_of(&after).is_subset(&lines_of(&longer)));
}

#[tokio::test]
async fn both_sides_of_a_merge_are_read() {
    let (directory, ours) = recorded(4).await;
    let line = |number: usize| {
        let start = format!("\"default/Component/c{number}\"");
        ours.lines().find(|line| line.starts_with(&start)).unwrap().to_owned()
    };
    // Each side has created one, and both have changed a third one in the same way.
    let without = |number: usize| ours.replace(&format!("{}\n", line(number)), "");
    assert_eq!(without(2).lines().count(), ours.lines().count() - 1);
    let union = without(2).replace(&line(1), &format!("{}\n{}\n{}", line(1), line(2), line(1)));
    let store = with_lock(directory.path(), &union).unwrap();
    for number in 0..4 {
        assert_eq!(component(&store, number).recorded_id(), Some(&*format!("id{number}")));
    }
    // What a formatter makes of it is read as well.
    let pretty: serde_json::Value = serde_json::from_str(&ours).unwrap();
    let pretty = serde_json::to_string_pretty(&pretty).unwrap();
    let store = with_lock(directory.path(), &pretty).unwrap();
    assert_eq!(component(&store, 3).recorded_id(), Some("id3"));
}

#[tokio::test]
async fn two_lines_about_one_object_that_differ_are_an_error() {
    let (directory, text) = recorded(3).await;
    let line = text.lines().find(|line| line.contains("/c1\"")).unwrap();
    let number = text.lines().position(|one| one == line).unwrap() + 1;
    let path = lock_of(directory.path()).display().to_string();
    for (from, to, words) in [
        ("\"id1\"", "\"other\"", "with two ids, id1 there and other here"),
        ("\"generation\":1", "\"generation\":2", "with different contents"),
    ] {
        let twice = text.replace(line, &format!("{line}\n{}", line.replace(from, to)));
        let said = refused(directory.path(), &twice);
        let place = format!(
            "{path}:{}:1: default/Component/c1 is recorded twice, here and in line {number}, {words}",
            number + 1
        );
        assert!(said.starts_with(&place), "{said}");
        assert!(said.contains("; nothing was sent. Keep the line of "), "{said}");
    }
}

#[tokio::test]
async fn what_a_merge_left_is_found_where_it_is() {
    let (directory, text) = recorded(3).await;
    let line = text.lines().find(|line| line.contains("/c1\"")).unwrap();
    let number = text.lines().position(|one| one == line).unwrap() + 1;
    let conflict = format!("<<<<<<< HEAD\n{line}\n=======\n{line}\n>>>>>>> other");
    let said = refused(directory.path(), &text.replace(line, &conflict));
    let place = format!("{}:{number}:1: ", lock_of(directory.path()).display());
    assert!(said.starts_with(&place), "{said}");
    for words in [
        "a merge conflict is not resolved (`<<<<<<< HEAD`); nothing was sent",
        "keep the lines of both sides and delete the lines with the markers",
        "keep that of the branch that was applied last",
    ] {
        assert!(said.contains(words), "{said}");
    }
    // As it says.
    let resolved = text.replace(line, &format!("{line}\n{line}"));
    assert!(with_lock(directory.path(), &resolved).is_ok());
}

#[tokio::test]
async fn a_file_that_is_cut_off_anywhere_is_refused_with_the_place() {
    let (directory, text) = recorded(2).await;
    for end in 0..text.trim_end().len() {
        let said = refused(directory.path(), &text[..end]);
        let lines = text[..end].lines().count().max(1);
        let place = format!("{}:", lock_of(directory.path()).display());
        let line: usize = said
            .strip_prefix(&place)
            .unwrap()
            .split(':')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        assert!(line >= lines && line <= lines + 1, "{end}: {said}");
        let what = if end == 0 { "is empty" } else { "ends in the middle" };
        assert!(
            said.contains(&format!(
                "the lock file {what}; nothing was sent. Take the last committed version"
            )),
            "{said}"
        );
    }
    for (from, to, words) in [
        ("\"generation\"", "generation", ":2:"),
        (
            "\"page\":\"default/acme\",",
            "",
            ":2:1: the lock file has an object that cannot be understood, \"default/Component/c0\" (missing field `page`)",
        ),
        ("\"held\"", "\"hold\"", ""),
    ] {
        let text = text.replacen(from, to, 1);
        if let Err(error) = with_lock(directory.path(), &text) {
            assert!(error.to_string().contains(words), "{error}");
        }
    }
    let newer = text.replace("\"version\":2", "\"version\":3");
    let said = refused(directory.path(), &newer);
    assert!(
        said.contains("was written by a newer statuspage (format 3, this one reads up to 2): use that version"),
        "{said}"
    );
}

/// The version before wrote whole statuses, by `Kind/namespace/name`.
#[tokio::test]
async fn the_format_before_is_read_and_becomes_this_one_with_the_next_change() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("page.yaml"), MANIFESTS).unwrap();
    let old: serde_json::Value = serde_json::from_str(VERSION_1).unwrap();
    let id = |name: &str| old["objects"][name]["id"].as_str().unwrap().to_owned();
    let store = with_lock(directory.path(), VERSION_1).unwrap();
    let declaration = |store: &DirectoryStore, kind: Kind, name: &str| {
        store
            .declaration(&page(), &ObjectKey::new(kind, "default", name))
            .unwrap()
    };
    let known = |store: &DirectoryStore| {
        let all = [
            (Kind::ComponentGroup, "core"),
            (Kind::Component, "api"),
            (Kind::Component, "gone"),
            (Kind::Incident, "outage"),
            (Kind::Metric, "latency"),
            (Kind::Subscriber, "desk"),
        ];
        all.map(|(kind, name)| {
            let one = declaration(store, kind, name);
            assert_eq!(one.recorded_id(), Some(&*id(&format!("{kind}/default/{name}"))));
            (
                one.uid.clone(),
                one.generation,
                one.finalizer,
                one.created,
                one.status.clone(),
            )
        })
    };
    let before = known(&store);
    let Status::Incident(incident) = &*before[3].4 else {
        panic!("{before:?}")
    };
    assert_eq!((incident.updates.len(), incident.object.conditions.len()), (2, 2));
    drop(store);
    let published = published_updates(directory.path(), None).unwrap();
    let outage = ObjectKey::new(Kind::Incident, "default", "outage");
    assert_eq!(published[&outage], incident.updates);

    // A pass in which nothing happens writes nothing, not even the new format, but for the address that is noted once.
    let store = opened(directory.path());
    assert_eq!(known(&store), before);
    let change = declaration(&store, Kind::Component, "gone");
    store
        .write(&change, StoreChange::RecordId("moved".to_owned()))
        .await
        .unwrap();
    store.settle().await.unwrap();
    drop(store);
    let text = fs::read_to_string(lock_of(directory.path())).unwrap();
    assert!(
        text.starts_with("{\"version\":2,\"objects\":{\n\"default/Component/api\":{"),
        "{text}"
    );
    assert!(!text.contains("conditions") && !text.contains('@'), "{text}");
    assert!(
        text.len() * 3 < VERSION_1.len(),
        "{} of {}",
        text.len(),
        VERSION_1.len()
    );
    assert_eq!(
        published_updates(directory.path(), None).unwrap()[&outage],
        incident.updates
    );
    let after = known_but_moved(&opened(directory.path()), &declaration);
    assert_eq!(after, before.iter().map(|one| one.4.clone()).collect::<Vec<_>>());

    // A journal of that version, too.
    let killed = tempfile::tempdir().unwrap();
    fs::write(killed.path().join("page.yaml"), MANIFESTS).unwrap();
    fs::write(lock_of(killed.path()), VERSION_1).unwrap();
    let mut entry = old["objects"]["Component/default/gone"].clone();
    entry["id"] = "noted".into();
    let gone = "{\"Subscriber/default/desk\":null}";
    let journal = format!(
        "{{\"version\":1}}\n{}\n{gone}\n",
        serde_json::json!({"Component/default/gone": entry})
    );
    fs::write(journal_of(killed.path()), journal).unwrap();
    let store = opened(killed.path());
    assert_eq!(
        declaration(&store, Kind::Component, "gone").recorded_id(),
        Some("noted")
    );
    assert_eq!(declaration(&store, Kind::Subscriber, "desk").recorded_id(), None);
    assert!(!journal_of(killed.path()).exists());
    assert!(
        fs::read_to_string(lock_of(killed.path()))
            .unwrap()
            .starts_with("{\"version\":2")
    );
}

fn known_but_moved(
    store: &DirectoryStore,
    declaration: &impl Fn(&DirectoryStore, Kind, &str) -> Declaration,
) -> Vec<Arc<Status>> {
    [
        (Kind::ComponentGroup, "core"),
        (Kind::Component, "api"),
        (Kind::Component, "gone"),
        (Kind::Incident, "outage"),
        (Kind::Metric, "latency"),
        (Kind::Subscriber, "desk"),
    ]
    .map(|(kind, name)| declaration(store, kind, name).status)
    .to_vec()
}

#[tokio::test]
async fn the_ids_of_one_page_are_not_used_for_another() {
    let (directory, text) = recorded(1).await;
    let store = with_lock(directory.path(), &text).unwrap();
    let mut status = store.view(&page()).unwrap().page.status.clone();
    Arc::make_mut(&mut status).object_mut().id = Some("p1".to_owned());
    drop(store);
    let store = opened(directory.path());
    let declaration = store.view(&page()).unwrap().page;
    store.write(&declaration, StoreChange::Status(status)).await.unwrap();
    store.settle().await.unwrap();
    drop(store);
    let token = || Some(crate::statuspage::Token::new("token").unwrap());
    let stands = |manifests: &str| {
        fs::write(directory.path().join("page.yaml"), manifests).unwrap();
        let options = DirectoryOptions {
            token: token(),
            read_only: true,
            ..DirectoryOptions::default()
        };
        let (store, _) = DirectoryStore::open(directory.path(), options).unwrap();
        store
            .view(&page())
            .unwrap()
            .access
            .map(|access| access.base_url.to_string())
    };
    let manifests = fs::read_to_string(directory.path().join("page.yaml")).unwrap();
    assert_eq!(stands(&manifests).unwrap(), BaseUrl::DEFAULT);
    let (reason, message) = stands(&manifests.replace("pageId: p1", "pageId: p2")).unwrap_err();
    assert_eq!(reason, crate::api::Reason::Invalid);
    assert!(
        message.contains(
            "statuspage.lock.json holds the ids of page p1, and this StatusPage names page p2: nothing is sent"
        ),
        "{message}"
    );
    let elsewhere = manifests.replace("api: {", "api: {url: \"https://status.example/v1\", ");
    let (_, message) = stands(&elsewhere).unwrap_err();
    assert!(
        message.contains(
            "the page at https://api.statuspage.io/v1, and this StatusPage names the one at https://status.example/v1"
        ),
        "{message}"
    );
    assert!(stands(&manifests.replace("api: {", "api: {url: \"https://api.statuspage.io/v1/\", ")).is_ok());
}
