//! A terminal for a program's standard error, and what the program shows there.

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::File;
use std::io::Read;
use std::process::{Command, ExitStatus, Stdio};

/// Wide enough for any line.
const SIZE: Winsize = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };

/// Runs a program to its end. What it has shown is as it wrote it, with all that moves the cursor.
pub fn shown_by(mut command: Command) -> (ExitStatus, String) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    tcsetwinsize(&ours, SIZE).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    command.env("TERM", "xterm").stdin(Stdio::null()).stdout(Stdio::null()).stderr(theirs);
    let mut child = command.spawn().unwrap();
    // The last one on this side: once the program has ended, nobody has the terminal open any more.
    drop(command);
    let mut shown = Vec::new();
    // The end is an error where the system says it so.
    let _ = File::from(ours).read_to_end(&mut shown);
    (child.wait().unwrap(), String::from_utf8(shown).unwrap())
}
