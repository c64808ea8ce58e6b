//! The room: who is there, and what is said to all of them.
//!
//! A line is said while the room is locked, as is whatever changes who is there. So lines and changes
//! have one order, which is the same for everybody.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use weftline::sync::broadcast::{Receiver, Sender};

/// The most bytes of a name.
const MAX_NAME: usize = 16;

/// A room that members enter and leave.
#[derive(Debug)]
pub struct Room {
    /// Never locked across an await.
    state: Mutex<State>,
}

/// What changes about a room.
#[derive(Debug)]
struct State {
    /// The names of those who are there, each of them once.
    names: BTreeSet<String>,
    /// How many names were made up so far.
    made_up: u64,
    /// Where lines are said; gone once the room is closed, which ends what everybody hears.
    lines: Option<Sender<Arc<str>>>,
}

/// Somebody in a room, who leaves it when dropped, for whatever reason.
#[derive(Debug)]
pub struct Member {
    /// Where that is.
    room: Arc<Room>,
    /// One of the room's names.
    name: String,
}

impl Room {
    /// An empty room in which a member may be so many lines `behind`.
    pub fn new(behind: usize) -> Arc<Self> {
        let (names, lines) = (BTreeSet::new(), Some(Sender::new(behind)));
        Arc::new(Self { state: Mutex::new(State { names, made_up: 0, lines }) })
    }

    /// Lets somebody in, under a name that is made up; nobody once the room is closed. The first
    /// line they hear is that they have come.
    pub fn enter(self: &Arc<Self>) -> Option<(Member, Receiver<Arc<str>>)> {
        let mut state = self.lock();
        let heard = state.lines.as_ref()?.subscribe();
        let name = loop {
            state.made_up += 1;
            let name = format!("guest{}", state.made_up);
            if state.names.insert(name.clone()) {
                break name;
            }
        };
        state.say(format!("* {name} has joined"));
        drop(state);
        Some((Member { room: self.clone(), name }, heard))
    }

    /// Says a last line, after which nobody hears anything.
    pub fn close(&self, farewell: &str) {
        let mut state = self.lock();
        state.say(farewell.to_owned());
        state.lines = None;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with the room")
    }
}

impl State {
    /// Says a line to all; to nobody where the room is closed or empty.
    fn say(&self, line: String) {
        if let Some(lines) = &self.lines {
            let _ = lines.send(line.into());
        }
    }
}

impl Member {
    /// By which the others know them.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Says something to all.
    pub fn say(&self, text: &str) {
        self.room.lock().say(format!("{}: {text}", self.name));
    }

    /// Takes another name, or says why not.
    pub fn rename(&mut self, name: &str) -> Result<(), String> {
        let is_plain =
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if name.is_empty() || name.len() > MAX_NAME || !is_plain {
            return Err(format!("a name has 1 to {MAX_NAME} letters, digits, - or _"));
        }
        let mut state = self.room.lock();
        if !state.names.insert(name.to_owned()) {
            return Err(format!("the name {name} is taken"));
        }
        state.names.remove(&self.name);
        state.say(format!("* {} is now {name}", self.name));
        self.name = name.to_owned();
        Ok(())
    }

    /// The names of all who are there.
    pub fn everybody(&self) -> String {
        let state = self.room.lock();
        let names: Vec<_> = state.names.iter().map(String::as_str).collect();
        names.join(", ")
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut state = self.room.lock();
        state.names.remove(&self.name);
        state.say(format!("* {} has left", self.name));
    }
}
