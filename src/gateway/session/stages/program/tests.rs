//! Real programs, small ones: what they get, what they give, and that none of them is left.

use super::*;
use crate::agent::wire;
use std::{os::unix::fs::PermissionsExt as _, sync::Arc, time::Instant};

/// A script in `folder` that a plan can name.
fn script(folder: &std::path::Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn programs(name: &str, arguments: &[&str], ahead: bool) -> Programs {
    let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let program = Program { name: name.to_owned(), arguments, ahead };
    let stages = [0, 1, 2].map(|_| StagePlan::Program(program.clone()));
    let told = wire::Settings { voice: Some("de".into()), ..wire::Settings::default() };
    let settings = Settings { told: Arc::new(told), ..Settings::default() };
    Programs::new(&StagedPlan { stages, settings: settings.clone() }, &settings)
}

fn ask(body: &[u8]) -> Ask {
    Ask { id: 1, stage: Stage::Tts, content_type: String::new(), body: body.into() }
}

/// All that comes of one request.
async fn answer(programs: &mut Programs, body: &[u8]) -> Result<Vec<u8>, Problem> {
    let (to, mut parts) = mpsc::channel(64);
    let asking = tokio::spawn(carry(programs.start(Stage::Tts).unwrap(), ask(body), to));
    let mut bytes = Vec::new();
    while let Some((_, part)) = parts.recv().await {
        match part {
            Part::Piece(piece) => bytes.extend_from_slice(&piece),
            Part::End => break,
            Part::Failed(problem) => return Err(problem),
        }
    }
    asking.await.unwrap();
    Ok(bytes)
}

/// Processes whose command line holds this, ended ones that nobody waited for included.
fn alive(word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let read = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
        let (line, stat) = (read("cmdline"), String::from_utf8_lossy(&read("stat")).into_owned());
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)).unwrap_or_default().to_owned();
        let is_zombie =
            stat.contains(") Z ") && parent == std::process::id().to_string() && stat.contains(&format!("({word}"));
        if String::from_utf8_lossy(&line).contains(word) || is_zombie {
            found.push(stat);
        }
    }
    found
}

async fn gone(word: &str) {
    let since = Instant::now();
    while !alive(word).is_empty() {
        assert!(since.elapsed() < Duration::from_secs(5), "left behind: {:?}", alive(word));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn input_goes_in_output_comes_out_and_arguments_are_no_shells() {
    let mut cat = programs("cat", &[], false);
    let long = vec![7; 300_000];
    assert_eq!(answer(&mut cat, &long).await.unwrap(), long, "more than the pipes hold");
    let mut echo = programs("echo", &["{{voice}}", "$HOME; touch /tmp/no", "{{rate}}"], false);
    assert_eq!(answer(&mut echo, b"unread").await.unwrap(), b"de $HOME; touch /tmp/no 16000\n");
}

#[tokio::test]
async fn programs_that_fail_say_why_and_those_that_are_not_there_are_not_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let fails = script(folder.path(), "fails", "echo one >&2; printf 'no such voice\\033[31m\\n' >&2; exit 3");
    let problem = answer(&mut programs(&fails, &[], false), b"hi").await.unwrap_err();
    assert!(
        problem.passing && problem.text.starts_with("fails ended with exit status: 3: no such voice"),
        "{problem:?}"
    );
    assert!(!problem.text.contains('\u{1b}'), "{problem:?}");
    let problem = answer(&mut programs("/nowhere/engine", &[], true), b"hi").await.unwrap_err();
    assert!(!problem.passing && problem.text.starts_with("engine could not be started: No such file"), "{problem:?}");
}

#[tokio::test]
async fn keys_are_not_inherited() {
    // The test runner's own environment holds none; cargo's variables stand for the rest.
    let seen = String::from_utf8(answer(&mut programs("env", &[], false), b"").await.unwrap()).unwrap();
    assert!(seen.contains("PATH="), "{seen}");
    let secret =
        |line: &str| SECRETS.iter().any(|secret| line.split('=').next().unwrap().to_uppercase().contains(secret));
    assert!(!seen.lines().any(secret), "{seen}");
}

#[tokio::test]
async fn who_is_let_go_is_killed_with_its_children_and_nobody_becomes_a_zombie() {
    let folder = tempfile::tempdir().unwrap();
    let word = format!("voxgw-slow-{}", std::process::id());
    let slow =
        script(folder.path(), &word, &format!("sh -c 'while :; do sleep 1; done' {word}-child & printf xx; wait"));
    let mut programs = programs(&slow, &[], true);
    for _ in 0..5 {
        let (to, mut parts) = mpsc::channel(64);
        let asking = tokio::spawn(carry(programs.start(Stage::Tts).unwrap(), ask(b"hi"), to));
        let (_, part) = parts.recv().await.unwrap();
        assert!(matches!(part, Part::Piece(_)), "it speaks");
        // A barge-in.
        asking.abort();
    }
    assert!(!alive(&word).is_empty(), "the next one waits already");
    drop(programs);
    gone(&word).await;
}

#[tokio::test]
async fn a_program_that_was_started_ahead_answers_sooner() {
    let folder = tempfile::tempdir().unwrap();
    // It loads its model, then reads.
    let loads = script(folder.path(), "loads", "sleep 0.4; cat");
    let mut programs = programs(&loads, &[], true);
    tokio::time::sleep(Duration::from_millis(600)).await;
    let since = Instant::now();
    assert_eq!(answer(&mut programs, b"now").await.unwrap(), b"now");
    assert!(since.elapsed() < Duration::from_millis(300), "{:?}", since.elapsed());
}

#[tokio::test]
async fn who_closes_its_output_but_does_not_end_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let word = format!("voxgw-stays-{}", std::process::id());
    let stays = script(folder.path(), &word, "printf done; exec >/dev/null 2>/dev/null; sleep 30");
    let since = Instant::now();
    assert_eq!(answer(&mut programs(&stays, &[], false), b"").await.unwrap(), b"done");
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
    gone(&word).await;
}
