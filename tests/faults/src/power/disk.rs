//! A disk whose every write and flush is logged, and images of it that are mounted to look at.
//!
//! Guarantees: what was set up is taken down again when dropped, as far as the system lets us.

use crate::site::Fault;
use std::{
    fs::{self, File},
    io::Read as _,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Size of the disk.
pub(crate) const DISK_BYTES: usize = 96 * 1024 * 1024;
/// Zeros are found, and left out, in pieces of this size.
const PIECE_BYTES: usize = 64 * 1024;
/// How long the export may take to appear.
const EXPORT_TIME_MAX: Duration = Duration::from_secs(10);
/// How often an unmount is tried.
const UNMOUNT_TRIES_MAX: u32 = 400;

/// What has to be there for this machine to log the writes of a disk.
pub(crate) fn missing() -> Vec<&'static str> {
    let has = |program: &str| {
        let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
        found.is_ok_and(|output| output.status.success())
    };
    let mut missing = Vec::new();
    for (program, package) in [
        ("qemu-storage-daemon", "qemu-storage-daemon (package qemu-system-common)"),
        ("mkfs.ext4", "mkfs.ext4 (package e2fsprogs)"),
        ("losetup", "losetup (package mount)"),
    ] {
        if !has(program) {
            missing.push(package);
        }
    }
    for device in ["/dev/fuse", "/dev/loop-control"] {
        if !Path::new(device).exists() {
            missing.push(device);
        }
    }
    let root = Command::new("id").arg("-u").output();
    if root.is_ok_and(|output| output.stdout.trim_ascii() != b"0") {
        missing.push("root");
    }
    missing
}

/// Runs a command that has to succeed; returns what it printed.
pub(crate) fn run(program: &str, words: &[&str]) -> Result<String, Fault> {
    let output = Command::new(program).args(words).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} {}: {}", words.join(" "), told.trim()).into())
}

/// Makes an empty disk with a file system of the usual options.
pub(crate) fn format(folder: &Path) -> Result<Vec<u8>, Fault> {
    let path = folder.join("empty.img");
    File::create(&path)?.set_len(u64::try_from(DISK_BYTES)?)?;
    let words = ["-q", "-F", "-b", "4096", "-J", "size=4", "-E"];
    let words = words.into_iter().chain(["lazy_itable_init=0,lazy_journal_init=0"]);
    run("mkfs.ext4", &words.chain([text(&path)]).collect::<Vec<_>>())?;
    let image = fs::read(&path)?;
    fs::remove_file(path)?;
    Ok(image)
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("the folders of the tests have names in UTF-8")
}

/// Writes an image, zeros left out.
pub(crate) fn write(path: &Path, image: &[u8]) -> Result<(), Fault> {
    let _ = fs::remove_file(path);
    let file = File::create(path)?;
    file.set_len(u64::try_from(image.len())?)?;
    for (index, piece) in image.chunks(PIECE_BYTES).enumerate() {
        if piece.iter().any(|byte| *byte != 0) {
            file.write_all_at(piece, u64::try_from(index * PIECE_BYTES)?)?;
        }
    }
    Ok(())
}

/// A mounted image; unmounted when dropped.
#[derive(Debug)]
pub(crate) struct Mounted {
    place: PathBuf,
    is_mounted: bool,
}

impl Mounted {
    /// Mounts a file or a device; the file system's own journal is replayed.
    pub(crate) fn new(what: &Path, place: &Path) -> Result<Self, Fault> {
        fs::create_dir_all(place)?;
        run("mount", &["-t", "ext4", text(what), text(place)])?;
        Ok(Self { place: place.to_path_buf(), is_mounted: true })
    }

    /// Takes over what is mounted here.
    pub(crate) fn already(place: &Path) -> Self {
        Self { place: place.to_path_buf(), is_mounted: true }
    }

    /// Unmounts; sled's threads may need a moment to let go.
    pub(crate) fn unmount(&mut self) -> Result<(), Fault> {
        let mut tries = 0;
        while self.is_mounted {
            match run("umount", &[text(&self.place)]) {
                Ok(_) => self.is_mounted = false,
                Err(fault) if tries >= UNMOUNT_TRIES_MAX => return Err(fault),
                Err(_) => thread::sleep(Duration::from_millis(5)),
            }
            tries += 1;
        }
        Ok(())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if self.is_mounted {
            let _ = run("umount", &["-l", text(&self.place)]);
        }
    }
}

/// A disk that is in use and logged.
#[derive(Debug)]
pub(crate) struct Logged {
    daemon: Child,
    device: String,
    export: PathBuf,
    log: PathBuf,
    mounted: Option<Mounted>,
}

impl Logged {
    /// Puts a disk with this content into use, mounted at `folder/mnt`.
    pub(crate) fn new(start: &[u8], folder: &Path) -> Result<Self, Fault> {
        let (disk, log, export) = (folder.join("disk"), folder.join("log"), folder.join("export"));
        write(&disk, start)?;
        let _ = fs::remove_file(&log);
        File::create(&log)?;
        File::create(&export)?;
        let daemon = Command::new("qemu-storage-daemon")
            .arg("--blockdev")
            .arg(format!("driver=file,node-name=f0,filename={}", text(&disk)))
            .arg("--blockdev")
            .arg(format!("driver=file,node-name=l0,filename={}", text(&log)))
            .args(["--blockdev", "driver=blklogwrites,node-name=bl,file=f0,log=l0"])
            .arg("--export")
            .arg(format!("type=fuse,id=e0,node-name=bl,mountpoint={},writable=on", text(&export)))
            .stdin(Stdio::null())
            .spawn()?;
        let mut logged = Self { daemon, device: String::new(), export, log, mounted: None };
        logged.wait_for_export()?;
        logged.device = run("losetup", &["-f", "--show", text(&logged.export)])?;
        let device = PathBuf::from(&logged.device);
        logged.mounted = Some(Mounted::new(&device, &folder.join("mnt"))?);
        Ok(logged)
    }

    fn wait_for_export(&mut self) -> Result<(), Fault> {
        let deadline = Instant::now() + EXPORT_TIME_MAX;
        loop {
            let size = fs::metadata(&self.export).map_or(0, |metadata| metadata.len());
            if size == u64::try_from(DISK_BYTES)? {
                return Ok(());
            }
            if let Some(status) = self.daemon.try_wait()? {
                return Err(format!("qemu-storage-daemon ended: {status}").into());
            }
            if Instant::now() > deadline {
                return Err("qemu-storage-daemon does not export the disk".into());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Where the log is; its length is the position of now.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Pulls the disk out: whatever is asked of it fails from now on. Returns where its image is.
    pub(crate) fn vanish(&mut self) -> PathBuf {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
        self.log.with_file_name("disk")
    }

    /// Takes the disk out of use and returns the log up to `end`, or all of it.
    pub(crate) fn finish(mut self, end: Option<u64>) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        if let Some(end) = end {
            File::open(&self.log)?.take(end).read_to_end(&mut bytes)?;
        }
        if let Some(mounted) = &mut self.mounted {
            mounted.unmount()?;
        }
        if end.is_none() {
            bytes = fs::read(&self.log)?;
        }
        Ok(bytes)
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        self.mounted = None;
        if !self.device.is_empty() {
            let _ = run("losetup", &["-d", &self.device]);
        }
        if matches!(self.daemon.try_wait(), Ok(None)) {
            let _ = Command::new("kill").arg(self.daemon.id().to_string()).status();
        }
        let deadline = Instant::now() + Duration::from_secs(3);
        while Instant::now() < deadline && matches!(self.daemon.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
        let _ = run("umount", &["-l", text(&self.export)]);
        let _ = fs::remove_file(&self.export);
    }
}
