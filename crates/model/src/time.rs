//! How time passes, and what a clock that is set does.

use crate::state::{JOBS, JUMP, LEASE, Ledger, NOTICE, PAUSE_AFTER_STEP, PERMIT, PROOF, Phase, State, Up, is_far};

/// Sets the server's clock. The processes go on by their own timeline until they notice.
pub(crate) fn jump(state: &mut State, forward: bool) {
    state.left.jumps -= 1;
    let by = if forward { -JUMP } else { JUMP };
    for row in &mut state.rows {
        row.until += by;
        row.due += by;
    }
    for process in state.processes.iter_mut().filter(|process| process.up != Up::Down) {
        process.ahead += by;
        process.unnoticed = 0;
        if let Some(lost) = &mut process.lost {
            lost.now = lost.now.saturating_add(by);
        }
    }
}

/// Lets a tick pass.
pub(crate) fn tick(state: &mut State) {
    let far = state.processes.iter().all(|process| process.ahead <= 0);
    for row in &mut state.rows {
        // What was given before the clock was set back by years does not expire by itself.
        if !far || row.until <= 2 * LEASE {
            row.until -= 1;
        }
        row.due = row.due.saturating_sub(1);
    }
    for process in state.processes.iter_mut().filter(|process| process.up != Up::Down) {
        process.unnoticed = (process.unnoticed + 1).min(NOTICE);
        if let Some(lost) = &mut process.lost {
            lost.now = lost.now.saturating_sub(1);
        }
        for run in process.runs.iter_mut().flatten() {
            if let Phase::Permit { age } = &mut run.phase {
                *age = (*age + 1).min(PERMIT);
            }
        }
        if process.paused {
            continue;
        }
        process.renewed = false;
        process.looks_in = (process.looks_in - 1).max(0);
        // The routine look of an idle process.
        process.woken = true;
        for job in 0..JOBS {
            let seen = is_far(&state.rows[job], process) && process.looks_in == 0;
            process.far[job] = if seen { (process.far[job] + 1).min(PAUSE_AFTER_STEP) } else { 0 };
        }
    }
    if state.effect.ledger != Ledger::None {
        state.effect.age = (state.effect.age + 1).min(PROOF);
    }
}
