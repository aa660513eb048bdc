//! Asks another system again, for those who cannot leave it to a later round.

use super::Failure;
use std::time::Duration;

/// Asks again as long as `pause` names one: it is told how often was asked, and why in vain.
///
/// For what may be asked twice: reads, and writes that are absolute.
pub async fn again_after<T, F>(
    mut ask: impl FnMut() -> F,
    mut pause: impl FnMut(u32, &Failure) -> Option<Duration>,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut tried = 1;
    loop {
        let failure = match ask().await {
            Ok(found) => return Ok(found),
            Err(failure) => failure,
        };
        let Some(pause) = pause(tried, &failure) else { return Err(failure) };
        tokio::time::sleep(pause).await;
        tried += 1;
    }
}
