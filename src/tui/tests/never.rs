//! What must never happen: a panic, whatever comes in whatever order, on
//! whatever screen.

use std::time::Duration;

use crossterm::event::KeyCode;
use proptest::prelude::*;
use serde_json::json;

use super::fixtures::*;
use super::verdicts::*;
use super::world::World;
use crate::domain::{Mode, Slot};
use crate::engine::{
    Action, ChaosStatus, Connection, OperationEvent, OperationId, Outcome, Reading, StateEvent, StepResult,
};
use crate::tui::message::{Message, Reply, Resync, TerminalMessage};

/// Something that can happen, small enough to be made up by chance.
#[derive(Debug, Clone)]
enum Blow {
    Key(KeyCode),
    Control(char),
    Paste(String),
    Screen(u16, u16),
    Time(u64),
    Watch(u8, String),
    Operation(u8, u8, String),
    Reply(u8, String),
    Lag,
}

fn blow() -> impl Strategy<Value = Blow> {
    let text = "(\\PC|[\u{1b}\n\t\u{9b}漢\u{202e}]){0,60}";
    let special = prop_oneof![
        Just(KeyCode::Enter),
        Just(KeyCode::Esc),
        Just(KeyCode::Tab),
        Just(KeyCode::BackTab),
        Just(KeyCode::Up),
        Just(KeyCode::Down),
        Just(KeyCode::Left),
        Just(KeyCode::Right),
        Just(KeyCode::PageUp),
        Just(KeyCode::PageDown),
        Just(KeyCode::Home),
        Just(KeyCode::End),
        Just(KeyCode::Backspace),
    ];
    prop_oneof![
        4 => "[ivdprtclm:?q1-6zsekxfwyn/+-]".prop_map(|key| Blow::Key(KeyCode::Char(key.chars().next().unwrap()))),
        4 => special.prop_map(Blow::Key),
        1 => any::<char>().prop_map(|c| Blow::Key(KeyCode::Char(c))),
        1 => prop_oneof![Just('c'), Just('u'), Just('l')].prop_map(Blow::Control),
        1 => text.prop_map(Blow::Paste),
        2 => (10..200_u16, 3..60_u16).prop_map(|(width, height)| Blow::Screen(width, height)),
        1 => (0..100_000_u64).prop_map(Blow::Time),
        3 => (any::<u8>(), text).prop_map(|(what, text)| Blow::Watch(what, text)),
        4 => (any::<u8>(), any::<u8>(), text).prop_map(|(what, id, text)| Blow::Operation(what, id, text)),
        2 => (any::<u8>(), text).prop_map(|(what, text)| Blow::Reply(what, text)),
        1 => Just(Blow::Lag),
    ]
}

fn strike(world: &mut World, blow: Blow, size: &mut (u16, u16)) {
    match blow {
        Blow::Key(code) => drop(world.key(code)),
        Blow::Control(c) => drop(world.ctrl(c)),
        Blow::Paste(text) => drop(world.tell(Message::Terminal(TerminalMessage::Pasted(text)))),
        Blow::Screen(width, height) => *size = (width, height),
        Blow::Time(millis) => world.pass(Duration::from_millis(millis)),
        Blow::Watch(what, text) => watch(world, what, text),
        Blow::Operation(what, id, text) => operation(world, what, id, text),
        Blow::Reply(what, text) => reply(world, what, text),
        Blow::Lag => {
            let resync = Resync { missed: 3, snapshot: Vec::new(), running: Vec::new() };
            drop(world.tell(Message::Resynced(resync)));
        }
    }
}

fn watch(world: &mut World, what: u8, text: String) {
    let event = match what % 9 {
        0 => StateEvent::Connection(Connection::Down { reason: text, retry_in: Duration::from_secs(3) }),
        1 => StateEvent::Connection(Connection::Up(engine_info())),
        2 => StateEvent::Manifest(Err(text)),
        3 => {
            let mut instance = app(Slot::Green, Mode::Canary, i64::from(what) - 100);
            instance.service = text;
            StateEvent::Instances(vec![instance])
        }
        4 => StateEvent::Instances(Vec::new()),
        5 => {
            let mut gate = failing_canary_gate();
            let decision = gate.decision.as_mut().unwrap();
            decision.checks[0].observed = json!(text);
            decision.revision.clone_from(&text);
            decision.reasons.push(text);
            StateEvent::Gates(vec![gate, opa_down(), passing_infra()])
        }
        6 => StateEvent::Gates(Vec::new()),
        7 => StateEvent::Chaos(Some(ChaosStatus {
            fault: "slow".into(),
            detail: text,
            slot: Slot::Blue,
            until: Some(noon()),
        })),
        _ => {
            let broken = Reading { mode: Mode::Canary, slot: Slot::Green, measured: Err(text), passed: None };
            let odd =
                reading(Mode::Stable, Slot::Blue, u64::from(what) + 1, 1, f64::NAN, Some(f64::INFINITY));
            world.look_at(vec![odd, broken]);
            return;
        }
    };
    world.watch(event);
}

fn operation(world: &mut World, what: u8, id: u8, text: String) {
    let id = OperationId(format!("op-{}", id % 3));
    let step = usize::from(what % 5);
    let event = match what % 7 {
        0 => OperationEvent::Started { id, action: Action::Deploy },
        1 => OperationEvent::StepStarted { id, step, name: text },
        2 => OperationEvent::StepProgress { id, step, detail: text, fraction: Some(f64::from(what) / 100.0) },
        3 => OperationEvent::StepFinished {
            id,
            step,
            name: text.clone(),
            result: StepResult::Failed,
            elapsed: Duration::from_millis(u64::from(what) * 999),
            detail: text,
        },
        4 => OperationEvent::Notice { id, text },
        5 => OperationEvent::Refused { action: Action::Rollback, reason: text, is_busy: true },
        _ => OperationEvent::Finished {
            id,
            action: Action::Deploy,
            outcome: Outcome::Failed { error: text.clone(), state: text.clone(), next: text },
            elapsed: Duration::from_secs(u64::from(what)),
        },
    };
    world.operation(event);
}

fn reply(world: &mut World, what: u8, text: String) {
    let generation = world.state.generation;
    let reply = match what % 4 {
        0 => Reply::LogEnded { generation, error: Some(text) },
        1 => Reply::Belongings { generation, result: Err(text) },
        2 => Reply::Belongings { generation, result: Ok(vec![text; usize::from(what)]) },
        _ => Reply::LogLines { generation, lines: vec![(what.is_multiple_of(2), text); usize::from(what)] },
    };
    world.tell(Message::Reply(reply));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_comes_in_makes_it_panic(
        blows in proptest::collection::vec(blow(), 1..60),
        deployed in any::<bool>(),
    ) {
        let mut world = if deployed { World::failing_canary() } else { World::new() };
        let mut size = (80, 24);
        for blow in blows {
            strike(&mut world, blow, &mut size);
            let backend = world.draw(size.0, size.1);
            for cell in backend.buffer().content() {
                prop_assert!(!cell.symbol().chars().any(char::is_control));
            }
        }
    }
}
