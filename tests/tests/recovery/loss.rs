//! The ways in which a node comes to run on yesterday's copy.

use crate::scene::{Scene, anchor_of, copy_folder};
use lienthong_proto::v1;
use std::path::PathBuf;

/// How the copy is made and put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// `lienthong backup` of the running node and `lienthong restore`.
    Restored,
    /// `cp` of the folder, and nothing is said; the anchor stays.
    Silent,
    /// The same, and the anchor is gone too.
    WithoutAnchor,
    /// Folder and anchor of an earlier moment, as a machine put back whole has them.
    Snapshot,
    /// The folder is lost, and there is no copy. The anchor is left.
    Everything,
    /// Nothing is left but the keys.
    EverythingAndAnchor,
}

impl Loss {
    /// What the operator is told to be the cause.
    pub(crate) fn cause(self) -> v1::RecoveryCause {
        match self {
            Loss::Restored => v1::RecoveryCause::Restored,
            Loss::Silent => v1::RecoveryCause::AnchorAhead,
            Loss::WithoutAnchor => v1::RecoveryCause::NoAnchor,
            Loss::Snapshot | Loss::EverythingAndAnchor => v1::RecoveryCause::Peer,
            Loss::Everything => v1::RecoveryCause::OtherStore,
        }
    }

    /// Copies a node's data: while it runs, or between two runs.
    pub(crate) async fn copy(self, scene: &mut Scene, agency: &str) {
        let (data, to) = (scene.province.node(agency).data.clone(), place(scene, agency));
        if self == Loss::Restored {
            let told = scene.command(&["backup", to.to_str().unwrap(), "--data", data.to_str().unwrap()]);
            assert!(told.contains("backed up and checked"), "{told}");
            return;
        }
        if matches!(self, Loss::Everything | Loss::EverythingAndAnchor) {
            return;
        }
        scene.province.node(agency).stop().await;
        copy_folder(&data, &to);
        copy_folder(&anchor_of(&data), &anchor_of(&to));
        scene.province.node(agency).start().await;
    }

    /// Stops a node and puts the copy in the place of its data.
    pub(crate) async fn strike(self, scene: &mut Scene, agency: &str) {
        let (data, from) = (scene.province.node(agency).data.clone(), place(scene, agency));
        scene.province.node(agency).stop().await;
        std::fs::remove_dir_all(&data).unwrap();
        match self {
            Loss::Restored => {
                let told =
                    scene.command(&["restore", from.to_str().unwrap(), "--data", data.to_str().unwrap()]);
                assert!(told.contains("put back"), "{told}");
            }
            Loss::Silent | Loss::WithoutAnchor | Loss::Snapshot => copy_folder(&from, &data),
            Loss::Everything | Loss::EverythingAndAnchor => {}
        }
        if matches!(self, Loss::WithoutAnchor | Loss::Snapshot | Loss::EverythingAndAnchor) {
            std::fs::remove_dir_all(anchor_of(&data)).unwrap();
        }
        if self == Loss::Snapshot {
            copy_folder(&anchor_of(&from), &anchor_of(&data));
        }
    }
}

fn place(scene: &Scene, agency: &str) -> PathBuf {
    scene.dir.path().join(format!("copy-of-{agency}"))
}
