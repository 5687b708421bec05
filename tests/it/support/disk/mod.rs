//! A disk that loses what was not forced onto it: what a program writes to its SQLite database is recorded, and any
//! moment of it can be made into the files that a power failure might leave behind.
//!
//! The model is that of Pillai et al., "All File Systems Are Not Created Equal" (OSDI 2014), without order: a write
//! after the last sync of its file may be there, be missing, or be there in some of its sectors, whatever became of the
//! ones before it; a file made after the last sync of its folder may be missing.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a disk writes as a whole.
const SECTOR: usize = 512;

const WRITE: u64 = 1;
const TRUNCATE: u64 = 2;
const SYNC: u64 = 3;
/// Made by the test: somebody outside was told something.
const TOLD: u64 = 100;

const DATABASE: u64 = 1;
const WAL: u64 = 2;
const FOLDER: u64 = 4;

/// Records one program's writes.
pub struct Recorder {
    library: PathBuf,
    database: PathBuf,
    record: PathBuf,
    told: std::sync::Mutex<File>,
}

impl Recorder {
    /// Of what happens to `database` from now on; keeps its own files in `folder`.
    pub fn new(folder: &Path, database: &Path) -> Self {
        let library = folder.join("recorder.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/disk/recorder.c");
        // Rust itself needs a C compiler's linker, so it is there.
        let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).output();
        let built = built.expect("cc runs");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let record = folder.join("record");
        let told = OpenOptions::new().create(true).append(true).open(&record).expect("a record").into();
        Self { library, database: database.canonicalize().expect("a database"), record, told }
    }

    /// What the program must have in its environment.
    pub fn environment(&self) -> [(&'static str, &str); 3] {
        [("LD_PRELOAD", &self.library), ("RECORDED_DATABASE", &self.database), ("RECORD", &self.record)]
            .map(|(variable, path)| (variable, path.to_str().expect("a path in UTF-8")))
    }

    /// Notes that somebody outside was told `what`, so it must be known for ever.
    pub fn told(&self, what: &str) {
        let mut record = header(TOLD, 0, 0, what.len());
        record.extend_from_slice(what.as_bytes());
        // One append: the program writes to the same file.
        self.told.lock().expect("nobody panicked").write_all(&record).expect("it is recorded");
    }

    /// Everything so far.
    pub fn record(&self) -> Vec<Event> {
        let record = std::fs::read(&self.record).expect("the record");
        let mut events = Vec::new();
        let mut at = 0;
        while at + 32 <= record.len() {
            let number = |n: usize| u64::from_le_bytes(record[at + 8 * n..][..8].try_into().expect("eight bytes"));
            let length = usize::try_from(number(3)).expect("a length");
            let bytes = record[at + 32..][..length].to_vec();
            events.push(Event { position: at as u64, operation: number(0), file: number(1), at: number(2), bytes });
            at += 32 + length;
        }
        events
    }
}

fn header(operation: u64, file: u64, at: u64, length: usize) -> Vec<u8> {
    [operation, file, at, length as u64].iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// One thing that happened.
#[derive(Debug, Clone)]
pub struct Event {
    /// Where it stands in the record.
    position: u64,
    operation: u64,
    file: u64,
    /// Where it was written, how long the file became, or how much of the record a sync made safe.
    at: u64,
    bytes: Vec<u8>,
}

impl Event {
    /// What somebody outside was told.
    pub fn told(&self) -> Option<&str> {
        (self.operation == TOLD).then(|| std::str::from_utf8(&self.bytes).expect("it was text"))
    }

    /// Whether it forces something onto the disk.
    pub fn is_sync(&self) -> bool {
        self.operation == SYNC
    }

    /// Whether it changes the database file itself: a part of a checkpoint.
    pub fn is_checkpoint(&self) -> bool {
        self.operation == WRITE && self.file == DATABASE
    }
}

/// What becomes of writes that nobody forced onto the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsynced {
    /// They are gone.
    Lost,
    /// Some are there, some gone, some torn.
    Mixed,
}

/// One file as the disk has it.
struct Kept {
    bytes: Vec<u8>,
    /// Whether the folder's entry is safe.
    listed: bool,
    /// Not yet safe, with their places in the record.
    pending: Vec<Event>,
}

impl Kept {
    fn apply(&mut self, event: &Event) {
        let at = usize::try_from(event.at).expect("it fits into memory");
        if event.operation == TRUNCATE {
            return self.bytes.resize(at, 0);
        }
        self.put(at, &event.bytes);
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[at..end].copy_from_slice(bytes);
    }

    fn sync(&mut self, until: u64) {
        let (safe, pending): (Vec<Event>, _) =
            std::mem::take(&mut self.pending).into_iter().partition(|event| event.position < until);
        self.pending = pending;
        for event in safe {
            self.apply(&event);
        }
    }

    /// The power is gone.
    fn fail(&mut self, unsynced: Unsynced, chance: &mut fastrand::Rng) {
        for event in std::mem::take(&mut self.pending) {
            match (unsynced, chance.u8(..3)) {
                (Unsynced::Lost, _) | (_, 0) => {}
                (_, 1) => self.apply(&event),
                _ if event.operation == TRUNCATE => {}
                _ => {
                    let at = usize::try_from(event.at).expect("it fits into memory");
                    for (n, sector) in event.bytes.chunks(SECTOR).enumerate() {
                        if chance.bool() {
                            self.put(at + n * SECTOR, sector);
                        }
                    }
                }
            }
        }
    }
}

/// Makes `database` what the disk may hold when the power fails after `events`, which began when the file held `before`.
pub fn after_power_failure(
    before: &[u8],
    events: &[Event],
    unsynced: Unsynced,
    chance: &mut fastrand::Rng,
    database: &Path,
) {
    let mut file = Kept { bytes: before.to_vec(), listed: true, pending: Vec::new() };
    let mut wal = Kept { bytes: Vec::new(), listed: false, pending: Vec::new() };
    for event in events {
        let kept = match event.file {
            DATABASE => &mut file,
            WAL => &mut wal,
            FOLDER => {
                wal.listed = true;
                continue;
            }
            _ if event.operation == TOLD => continue,
            _ => panic!("a file that the model does not know: {event:?}"),
        };
        match event.operation {
            WRITE | TRUNCATE => kept.pending.push(event.clone()),
            SYNC => kept.sync(event.at),
            _ => panic!("an operation that the model does not know: {event:?}"),
        }
    }
    file.fail(unsynced, chance);
    wal.fail(unsynced, chance);
    let listed = wal.listed || (unsynced == Unsynced::Mixed && chance.bool());
    let wal_path = PathBuf::from(format!("{}-wal", database.display()));
    std::fs::write(database, &file.bytes).expect("a database");
    if listed && !wal.bytes.is_empty() {
        std::fs::write(wal_path, &wal.bytes).expect("a log");
    }
}
