//! Tells people when something needs one.
//!
//! What this part guarantees:
//! 1. What is wrong for long enough is told once in every channel, and once when it is over,
//!    whatever the restarts in between; a message that cannot be sent is kept and tried again.
//! 2. It only looks. No order waits for it, and what it looks at is not changed by it.
//! 3. No message holds a name, an address or anything else of a customer or an order.
//!
//! `rules` judge a `view`, `life` remembers what was told, `outbox` what waits to be sent: all of
//! them pure. `look` gathers the view, `watch` is the loop, `mail` and `hook` send.

mod channel;
mod config;
pub mod desk;
pub mod form;
mod hook;
pub mod life;
mod look;
mod mail;
pub mod outbox;
pub mod rules;
pub mod text;
pub mod usual;
pub mod view;
mod watch;

pub use channel::{Channel, ChannelError, Layer, SendFault};
pub use config::Config;
pub use desk::{Ask, Listed, Reply, Request};
pub use form::Form;
pub use hook::Settings as HookSettings;
pub use life::Shown;
pub use look::{Looker, Sources};
pub use mail::{Security, Settings as MailSettings};
pub use outbox::{Letter, Standing};
pub use rules::{Limits, Rule};
pub use view::{Destination, Reach};
pub use watch::{AlertsPicture, Parts, Watch};
