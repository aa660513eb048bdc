//! Says what a configuration would run. Pure.

use crate::{
    config::Config,
    intake::{signature::Scheme, tls},
};

/// Returns one line for each part that would run, and for each that would not.
pub(super) fn told(config: &Config) -> String {
    let mut lines = vec![format!("state       {}", config.state_dir.display())];
    match &config.intake {
        None => lines.push("intake      off: the gateway only polls".to_owned()),
        Some(intake) => {
            let certificate = match &intake.tls {
                tls::Config::Files(files) => files.cert_file.display().to_string(),
                tls::Config::Own(own) => format!("our own, for {}", own.names.join(", ")),
            };
            lines
                .push(format!("intake      https://{} (certificate {certificate})", intake.listen));
            for source in &intake.sources {
                let proof = match &source.signature {
                    Scheme::None => "NOT SIGNED: whoever reaches the path is believed",
                    Scheme::Token(_) => "token",
                    Scheme::Hmac(_) => "HMAC-SHA256",
                };
                lines.push(format!("  source    {} at {}, {proof}", source.name, source.path));
            }
        }
    }
    match &config.m3 {
        None => lines.push("m3          off: nothing is sent to M3".to_owned()),
        Some(m3) => {
            let (company, division) = (m3.company, &m3.division);
            lines.push(format!("m3          company {company}, division {division:?}"));
        }
    }
    match &config.order_to_cash {
        None => lines.push("orders      off: kept, not carried over".to_owned()),
        Some(rules) => lines.push(format!(
            "orders      type {}, facility {}, warehouse {}",
            rules.order_type, rules.facility, rules.warehouse
        )),
    }
    match &config.metrics {
        None => lines.push("metrics     off".to_owned()),
        Some(metrics) => lines.push(format!("metrics     http://{}", metrics.listen)),
    }
    let credentials = config.credentials();
    lines.push(format!("credentials {} named, all readable", credentials.len()));
    lines.push("The configuration is usable.".to_owned());
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_told_on_or_off() {
        let bare: Config = toml::from_str("state_dir = \"/s\"").unwrap();
        let got = told(&bare);
        assert!(got.contains("intake      off") && got.contains("metrics     off"), "{got}");
        let full: Config = toml::from_str(
            r#"
            state_dir = "/s"
            [intake]
            listen = "0.0.0.0:8443"
            [[intake.sources]]
            name = "shop"
            path = "/hooks/shop"
            signature = "none"
            event = { pointer = "/event" }
            order_id = "/id"
            [metrics]
            "#,
        )
        .unwrap();
        let got = told(&full);
        for part in ["https://0.0.0.0:8443", "shop at /hooks/shop, NOT SIGNED", "127.0.0.1:9464"] {
            assert!(got.contains(part), "{part}\n{got}");
        }
    }
}
