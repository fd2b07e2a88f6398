//! Three agencies with dossiers in every state between them, a copy of one of them, and work that goes on after it.

use lienthong_link::server::NatsServer;
use lienthong_proto::v1;
use lienthong_tests::{Desk, Ops, Province, broker, lienthong, ref_id};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

pub(crate) const AGENCIES: [&str; 3] = ["a", "b", "c"];

/// Where a dossier stands at each agency that knows it.
pub(crate) type Standing = BTreeMap<&'static str, (v1::Phase, String)>;

/// A province of three nodes over a broker. Restart by restart, each acts under its own idempotency keys.
pub(crate) struct Scene {
    pub(crate) province: Province,
    /// Ends with the scene.
    _broker: NatsServer,
    pub(crate) dir: TempDir,
    /// Dossiers of each kind.
    pub(crate) each: usize,
    keys: usize,
    /// Dossiers by what happens to them.
    pub(crate) dossiers: BTreeMap<&'static str, Vec<String>>,
    /// All codes ever issued, those lost included.
    pub(crate) codes: Vec<String>,
}

impl Scene {
    /// Starts all three. `None` without a nats-server, which is told.
    pub(crate) async fn begin(each: usize) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let broker = broker(dir.path()).await?;
        let mut province = Province::lay_out(&broker.url(), &[&["a"], &["b"], &["c"]]);
        province.start().await;
        Some(Self {
            province,
            _broker: broker,
            dir,
            each,
            keys: 0,
            dossiers: BTreeMap::new(),
            codes: Vec::new(),
        })
    }

    pub(crate) fn desk(&mut self, agency: &str) -> Desk {
        self.province.desk(agency)
    }

    pub(crate) fn ops(&mut self, agency: &str) -> Ops {
        self.province.ops(agency)
    }

    pub(crate) fn key(&mut self) -> String {
        self.keys += 1;
        format!("key-{}", self.keys)
    }

    /// Takes dossiers of a kind in.
    pub(crate) async fn intakes(&mut self, kind: &'static str, at: &str) -> Vec<String> {
        let desk = self.desk(at);
        for _ in 0..self.each {
            let key = self.key();
            let done = desk.submit(&key, format!("Tờ khai {kind} {key}").as_bytes()).await.unwrap();
            assert!(
                !self.codes.contains(&done.dossier_code),
                "the code {} was issued before",
                done.dossier_code
            );
            self.codes.push(done.dossier_code);
            self.dossiers.entry(kind).or_default().push(done.dossier_id);
        }
        self.dossiers[kind].clone()
    }

    pub(crate) async fn offer(&mut self, kind: &str, from: &str, to: &str) {
        let (giver, receiver) = (self.desk(from), self.desk(to));
        for id in self.dossiers[kind].clone() {
            giver.offer(&self.key(), &id, to).await.unwrap();
            receiver.until(&id, v1::Phase::Inbox).await;
        }
    }

    pub(crate) async fn accept(&mut self, kind: &str, at: &str) {
        let desk = self.desk(at);
        for id in self.dossiers[kind].clone() {
            desk.accept(&self.key(), &id).await.unwrap();
        }
    }

    pub(crate) async fn hand(&mut self, kind: &str, from: &str, to: &str) {
        self.offer(kind, from, to).await;
        self.accept(kind, to).await;
    }

    pub(crate) async fn note(&mut self, kind: &str, at: &str) {
        let desk = self.desk(at);
        for id in self.dossiers[kind].clone() {
            let (act, dossier) = (desk.act(&self.key()), ref_id(&id));
            let request = v1::AddNoteRequest { act, dossier, text: "Đã bổ sung giấy tờ".to_owned() };
            desk.client.clone().add_note(request).await.unwrap();
        }
    }

    /// Before the copy: dossiers held, on their way and given away.
    pub(crate) async fn before(&mut self) {
        for (kind, at) in [
            ("held, handed on later", "a"),
            ("offered, accepted later", "a"),
            ("offered, recalled later", "a"),
            ("offered, nobody decides", "a"),
            ("came, accepted later and handed on", "b"),
            ("came, refused later", "b"),
            ("came, nobody decides", "b"),
            ("held for b, noted later", "b"),
            ("given, comes back later", "a"),
        ] {
            self.intakes(kind, at).await;
        }
        self.offer("offered, accepted later", "a", "b").await;
        self.offer("offered, recalled later", "a", "c").await;
        self.offer("offered, nobody decides", "a", "c").await;
        for kind in ["came, accepted later and handed on", "came, refused later", "came, nobody decides"] {
            self.offer(kind, "b", "a").await;
        }
        self.hand("held for b, noted later", "b", "a").await;
        self.hand("given, comes back later", "a", "b").await;
        self.settle(&AGENCIES).await;
    }

    /// After it, what the copy knows nothing of, in both directions. `a` is the one whose data is lost.
    pub(crate) async fn after(&mut self) {
        self.hand("held, handed on later", "a", "b").await;
        self.accept("offered, accepted later", "b").await;
        for id in self.dossiers["offered, recalled later"].clone() {
            let (desk, key) = (self.desk("a"), self.key());
            desk.recall(&key, &id, "Chuyển nhầm").await.unwrap();
            desk.until(&id, v1::Phase::Held).await;
        }
        self.accept("came, accepted later and handed on", "a").await;
        self.hand("came, accepted later and handed on", "a", "c").await;
        for id in self.dossiers["came, refused later"].clone() {
            let (desk, key) = (self.desk("a"), self.key());
            desk.refuse(&key, &id, "Thiếu giấy tờ").await.unwrap();
        }
        self.note("held for b, noted later", "a").await;
        self.hand("given, comes back later", "b", "a").await;
        self.intakes("new, handed on", "a").await;
        self.hand("new, handed on", "a", "b").await;
        self.intakes("new, offered", "a").await;
        self.offer("new, offered", "a", "c").await;
        self.intakes("new, came", "b").await;
        self.offer("new, came", "b", "a").await;
        self.settle(&AGENCIES).await;
    }

    /// What reaches nobody: it is gone with the data.
    pub(crate) async fn unheard(&mut self) {
        self.intakes("reached nobody", "a").await;
    }

    /// Waits until nothing is on its way: what waits, waits for officers.
    pub(crate) async fn settle(&mut self, agencies: &[&str]) {
        for agency in agencies {
            let ops = self.ops(agency);
            let what = format!("nothing is on its way from {agency}");
            lienthong_tests::eventually(super::BOUND, &what, async || {
                let rows = ops.outbox().await.ok()?;
                rows.iter().all(|row| row.reason() == v1::WaitReason::Decision).then_some(())
            })
            .await;
        }
    }

    /// Where every dossier stands.
    pub(crate) async fn standings(&mut self) -> BTreeMap<String, Standing> {
        let mut all: BTreeMap<String, Standing> = BTreeMap::new();
        for agency in AGENCIES {
            for dossier in self.desk(agency).list().await.unwrap() {
                // What was refused and comes back from a peer is known as followed: nobody holds either.
                let phase = match dossier.phase() {
                    v1::Phase::Out => v1::Phase::Followed,
                    other => other,
                };
                all.entry(dossier.id).or_default().insert(agency, (phase, dossier.custodian));
            }
        }
        all
    }

    /// Each kind's dossiers and where they stand, for messages.
    pub(crate) fn kind(&self, id: &str) -> &'static str {
        let found = self.dossiers.iter().find(|(_, ids)| ids.iter().any(|i| i == id));
        found.map_or("?", |(kind, _)| kind)
    }

    /// Of those who do not recover, and therefore act, no two hold one dossier. Officers rest meanwhile, so custody moves
    /// nowhere between two looks.
    pub(crate) async fn nobody_holds_twice(&mut self) {
        let mut holders: BTreeMap<String, &'static str> = BTreeMap::new();
        for agency in AGENCIES {
            let (ops, desk) = (self.ops(agency), self.desk(agency));
            let Ok(told) = ops.agency().await else { continue };
            if told.recovery.is_some_and(|recovery| recovery.ended_ms == 0) {
                continue;
            }
            for dossier in desk.list().await.unwrap_or_default() {
                if dossier.phase() == v1::Phase::Held {
                    let other = holders.insert(dossier.id.clone(), agency);
                    assert_eq!(other, None, "{} {} at {agency} too", self.kind(&dossier.id), dossier.id);
                }
            }
        }
    }

    /// Every dossier has one custodian, and all who know it name the same.
    pub(crate) async fn one_custodian_each(&mut self) {
        for (id, standing) in self.standings().await {
            let (kind, at) = (self.kind(&id), &standing);
            let holds = |p: v1::Phase| matches!(p, v1::Phase::Held | v1::Phase::Offered | v1::Phase::Closed);
            let holders: Vec<_> = at.iter().filter(|(_, (p, _))| holds(*p)).map(|(a, _)| *a).collect();
            assert_eq!(holders.len(), 1, "{kind} {id}: {at:?}");
            assert!(at.values().all(|(_, custodian)| custodian == holders[0]), "{kind} {id}: {at:?}");
        }
    }

    /// Runs the binary; it must end well.
    pub(crate) fn command(&self, args: &[&str]) -> String {
        let done = Command::new(lienthong()).args(args).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success(), "lienthong {args:?}: {out}{err}");
        out.into_owned()
    }

    /// Officers finish what can be finished; then outboxes are empty, every trail and every ledger verifies.
    pub(crate) async fn finish(&mut self) {
        for (id, standing) in self.standings().await {
            for (agency, (phase, _)) in standing {
                if phase == v1::Phase::Inbox {
                    let (desk, key) = (self.desk(agency), self.key());
                    desk.accept(&key, &id).await.unwrap();
                }
            }
        }
        for agency in AGENCIES {
            self.ops(agency).until_outbox_empty().await;
            assert_eq!(self.ops(agency).agency().await.unwrap().quarantined, 0, "nothing is odd at {agency}");
        }
        self.one_custodian_each().await;
        let directory = self.province.directory_file();
        let directory = directory.to_str().unwrap().to_owned();
        let mut trails = 0;
        for (id, standing) in self.standings().await {
            let mut custodians = Vec::new();
            for agency in standing.keys() {
                let (desk, key) = (self.desk(agency), self.key());
                let file = self.dir.path().join(format!("{agency}.evidence"));
                std::fs::write(&file, desk.export(&key, &id).await.unwrap()).unwrap();
                let told = self.command(&[
                    "--json",
                    "trail",
                    "verify",
                    file.to_str().unwrap(),
                    "--directory",
                    &directory,
                ]);
                let told: serde_json::Value = serde_json::from_str(&told).unwrap();
                custodians.push(told["custodian_now"].clone());
                trails += 1;
            }
            custodians.dedup();
            assert_eq!(custodians.len(), 1, "{} {id}: {custodians:?}", self.kind(&id));
            assert!(custodians[0].is_string(), "{custodians:?}");
        }
        self.province.stop().await;
        for agency in AGENCIES {
            let data = self.province.node(agency).data.clone();
            let told = self.command(&["ledger", "verify", data.to_str().unwrap(), "--directory", &directory]);
            assert!(told.contains("SOUND"), "{told}");
        }
        println!("VERDICT recovery: {trails} trails and 3 ledgers verified offline");
    }
}

/// The anchor's folder beside a data folder.
pub(crate) fn anchor_of(data: &Path) -> PathBuf {
    data.with_extension("anchor")
}

/// Copies a folder with all that is in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
