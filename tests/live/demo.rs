//! `partywall demo --once` comes out as promised, and leaves nothing behind.

use std::process::Command;

use crate::shared::program;

#[test]
fn the_tour_comes_out_as_promised() {
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    // The server's user, when we are root, must be able to reach its folder.
    Command::new("chmod").arg("755").arg(folder.path()).status().unwrap();
    let output = Command::new(program()).args(["demo", "--once"]).env("TMPDIR", folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("checks came out as promised") && !text.contains("FAILED"), "{text}");
    assert!(!text.contains('\x1b'), "colour codes, though this is no terminal");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}
