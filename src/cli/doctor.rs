//! Tries everything the gateway needs, and prints what it found.
//!
//! Guarantees: it changes nothing, neither here nor on the other side, beyond
//! one file that it creates in the state folder and removes again.

use super::{
    Fault, alert, destinations,
    report::{Finding, Layer, Report},
    say,
};
use crate::config::Loaded;
use std::{fs, io, path::Path};

/// Checks everything; a fault when something failed.
pub(super) fn run(loaded: &Loaded) -> Result<(), Fault> {
    let mut report = Report::default();
    report.add("state", Layer::Disk, disk(&loaded.config.state_dir));
    // A configuration with a credential that cannot be read is not loaded.
    let named = loaded.config.credentials().len();
    let seen = format!("{named} named, all readable in {}", loaded.credentials.folder().display());
    report.add("gateway", Layer::Credentials, Finding::Fine(seen));
    connections(loaded, &mut report)?;
    say(&report.to_string())?;
    match report.failures() {
        0 => Ok(()),
        failed => Err(Fault::Unwell(failed)),
    }
}

/// Tries every system the configuration names.
fn connections(loaded: &Loaded, report: &mut Report) -> Result<(), Fault> {
    let runtime = super::runtime()?;
    if let Some(shop) = &loaded.config.xcart {
        report.extend(runtime.block_on(destinations::xcart(shop, &loaded.credentials)));
    }
    if let Some(m3) = &loaded.config.m3 {
        let wants = super::m3::wants(loaded);
        report.extend(runtime.block_on(destinations::m3(m3, &loaded.credentials, &wants)));
    }
    report.extend(runtime.block_on(Box::pin(super::ion::doctor(loaded))));
    if let Some(alerts) = &loaded.config.alerts {
        report.extend(runtime.block_on(alert::without_message(alerts, &loaded.credentials)));
    }
    Ok(())
}

fn disk(folder: &Path) -> Finding {
    match writable(folder) {
        Ok(()) => Finding::Fine(format!("{} can be written", folder.display())),
        Err(error) => Finding::failed(
            format!("{}: {error}", folder.display()),
            "create the folder, and make it belong to the user the gateway runs as",
        ),
    }
}

fn writable(folder: &Path) -> io::Result<()> {
    let file = folder.join(format!(".doctor-{}", std::process::id()));
    fs::write(&file, b"causeway")?;
    fs::remove_file(&file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_fails_with_advice() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(disk(folder.path()), Finding::Fine(_)));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let gone = disk(&folder.path().join("gone"));
        let Finding::Failed { advice, .. } = gone else { panic!("{gone:?}") };
        assert!(advice.contains("create the folder"), "{advice}");
    }
}
