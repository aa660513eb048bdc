//! Says what a configuration would run. Pure.

use crate::{
    alert::Rule,
    config::Config,
    connector::xcart::{self, Spoken, docs::Dialect},
    goods::rules::Mode,
    intake::{ion::config as ion, signature::Scheme, tls},
};

/// Returns one line for each part that would run, and for each that would not; `catalogue` is what
/// is known of M3's programs.
pub(super) fn told(config: &Config, catalogue: Option<&str>) -> String {
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
            lines.extend(intake.ion.as_ref().map(ion));
        }
    }
    match &config.xcart {
        None => lines.push("xcart       off: the shop is not asked".to_owned()),
        Some(shop) => lines.extend(shop_lines(shop)),
    }
    match &config.m3 {
        None => lines.push("m3          off: nothing is sent to M3".to_owned()),
        Some(m3) => {
            let (company, division) = (m3.company, &m3.division);
            lines.push(format!("m3          company {company}, division {division:?}"));
            lines.extend(catalogue.map(|told| format!("  catalogue {told}")));
        }
    }
    match &config.order_to_cash {
        None => lines.push("orders      off: kept, not carried over".to_owned()),
        Some(rules) => lines.push(format!(
            "orders      type {}, facility {}, warehouse {}",
            rules.order_type, rules.facility, rules.warehouse
        )),
    }
    flows(config, &mut lines);
    match &config.metrics {
        None => lines.push("metrics     off".to_owned()),
        Some(metrics) => lines.push(format!("metrics     http://{}", metrics.listen)),
    }
    alerts(config, &mut lines);
    let credentials = config.credentials();
    lines.push(format!("credentials {} named, all readable", credentials.len()));
    lines.push("The configuration is usable.".to_owned());
    lines.push(String::new());
    lines.join("\n")
}

/// Says where the shop is and which API it has.
fn shop_lines(shop: &xcart::Settings) -> Vec<String> {
    let spoken = match shop.dialect {
        Spoken::Auto => "the shop is asked which API it has".to_owned(),
        Spoken::Modern => "the API of 5.5 and newer".to_owned(),
        Spoken::Legacy => format!(
            "{}: {}; found for {} days after an order was placed",
            Dialect::Legacy.name(),
            Dialect::Legacy.lacks(),
            shop.legacy.changes_days
        ),
    };
    vec![format!("xcart       {}", shop.base_url), format!("  dialect   {spoken}")]
}

/// Says what becomes of customers, and when both sides are compared.
fn flows(config: &Config, lines: &mut Vec<String>) {
    if let Some(buyers) = &config.buyers {
        let mode =
            if buyers.mode == Mode::Write { "written" } else { "watched, nothing is written" };
        let (statuses, memberships) = (buyers.statuses.len(), buyers.memberships.len());
        lines.push(format!(
            "buyers      {mode}: {statuses} statuses, {memberships} groups of {}",
            buyers.group_field
        ));
    }
    if let Some(profiles) = &config.profiles {
        let mode =
            if profiles.mode == Mode::Write { "written" } else { "watched, nothing is written" };
        lines.push(format!("profiles    {mode}: at most {} a minute", profiles.per_min));
    }
    if let Some(reconcile) = &config.reconcile {
        let what: Vec<&str> = reconcile.what.iter().map(|what| what.name()).collect();
        lines.push(format!("reconcile   each night: {}", what.join(", ")));
    }
}

/// Says how ION would reach us, and we it.
fn ion(ion: &ion::Config) -> String {
    let proof = match &ion.login {
        None => "nobody may call",
        Some(ion::Login::Basic(_)) => "password",
        Some(ion::Login::Token(_)) => "token",
    };
    let files = ion.files.as_ref();
    let folder = files.and_then(|files| files.folder_in.as_ref());
    let folder = folder.map(|folder| format!(", files in {}", folder.display()));
    let answers = match (&ion.publish, files.and_then(|files| files.folder_out.as_ref())) {
        (Some(_), _) => "answers over its API".to_owned(),
        (None, Some(folder)) => format!("answers in {}", folder.display()),
        (None, None) => "no answers".to_owned(),
    };
    let (id, path, count) = (&ion.logical_id, &ion.path, ion.documents.len());
    let folder = folder.unwrap_or_default();
    format!("  ion       {id} at {path}, {proof}, {count} documents{folder}; {answers}")
}

/// Says who would be told of what.
fn alerts(config: &Config, lines: &mut Vec<String>) {
    let Some(alerts) = &config.alerts else {
        lines.push("alerts      off: nobody is told when something needs a person".to_owned());
        return;
    };
    let applied = Rule::ALL.into_iter().filter(|rule| alerts.rules.applies(*rule));
    let applied: Vec<&str> = applied.map(Rule::name).collect();
    lines.push(format!("alerts      from {:?}: {}", alerts.box_name, applied.join(", ")));
    for mail in &alerts.mail {
        let (to, security) = (mail.to.len(), mail.security.name());
        lines.push(format!(
            "  channel   {}, e-mail to {to} by {}:{} ({security})",
            mail.name,
            mail.host,
            mail.port()
        ));
    }
    for hook in &alerts.webhooks {
        let signed = if hook.signature_credential.is_some() { ", signed" } else { "" };
        let (name, form) = (&hook.name, hook.form.name());
        lines.push(format!("  channel   {name}, webhook ({form}{signed})"));
    }
    if alerts.mail.is_empty() && alerts.webhooks.is_empty() {
        lines.push("  channel   NONE: what is wrong is shown, and nobody is told".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_told_on_or_off() {
        let bare: Config = toml::from_str("state_dir = \"/s\"").unwrap();
        let got = told(&bare, None);
        assert!(got.contains("alerts      off"), "{got}");
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
            [intake.ion]
            logical_id = "lid://x"
            documents = ["Sync.SalesOrder"]
            files = { folder_in = "/in" }
            [metrics]
            [alerts]
            box_name = "acme"
            rules = { off = ["clock", "no-orders"] }
            [[alerts.mail]]
            name = "ops"
            host = "mail.example"
            from = "box@example.com"
            to = ["a@example.com", "b@example.com"]
            [[alerts.webhooks]]
            name = "chat"
            url_credential = "u"
            signature_credential = "s"
            "#,
        )
        .unwrap();
        let got = told(&full, None);
        let parts = [
            "https://0.0.0.0:8443",
            "shop at /hooks/shop, NOT SIGNED",
            "127.0.0.1:9464",
            "from \"acme\": losses, standstill, parked, waiting, away, disk, refusing, certificate, apart, not-understood\n",
            "ops, e-mail to 2 by mail.example:587 (starttls)",
            "chat, webhook (generic, signed)",
        ];
        for part in parts {
            assert!(got.contains(part), "{part}\n{got}");
        }
    }
}
