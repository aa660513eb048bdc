//! One customer is found or made by one worker at a time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

/// A turn for each name; names that nobody waits for are forgotten.
#[derive(Debug, Default)]
pub struct Turns {
    turns: Mutex<HashMap<String, Arc<Turn<()>>>>,
}

impl Turns {
    /// Waits for the turns of all `names`; in one sequence, so that nobody waits in a circle.
    pub async fn take_all(&self, names: &[String]) -> Vec<OwnedMutexGuard<()>> {
        let mut names: Vec<&String> = names.iter().collect();
        names.sort();
        names.dedup();
        let mut turns = Vec::new();
        for name in names {
            turns.push(self.take(name).await);
        }
        turns
    }

    /// Waits for the turn of `name`; it ends when the guard is dropped.
    pub async fn take(&self, name: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(turns.entry(name.to_owned()).or_default())
        };
        turn.lock_owned().await
    }
}
