//! The signals of Unix that have a name.

use super::Kind;

kinds! {
    in libc;
    /// A timer of the process is over.
    ALARM = SIGALRM;
    /// A child has ended.
    CHILD = SIGCHLD;
    /// Go on after a stop.
    CONTINUE = SIGCONT;
    /// The terminal is gone; to daemons: read the configuration again.
    HANGUP = SIGHUP;
    /// The user's Ctrl-C.
    INTERRUPT = SIGINT;
    /// End at once; cannot be caught.
    KILL = SIGKILL;
    /// A pipe was written to that nobody reads.
    PIPE = SIGPIPE;
    /// The user's Ctrl-\.
    QUIT = SIGQUIT;
    /// Stop at once; cannot be caught.
    STOP = SIGSTOP;
    /// Please end.
    TERMINATE = SIGTERM;
    /// Whatever programs agree on.
    USER1 = SIGUSR1;
    /// Whatever programs agree on.
    USER2 = SIGUSR2;
    /// The terminal has another size.
    WINDOW_CHANGE = SIGWINCH;
}
