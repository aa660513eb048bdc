//! The numbers of the flow of buyers, and of the comparison at night.

use super::{gauge, page::Picture};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ComparedLabels {
    what: String,
    result: String,
}

/// What is set from the picture.
#[derive(Clone, Debug, Default)]
pub(super) struct Flows {
    buyers_polled: Gauge,
    buyers_waiting: Gauge,
    buyers_differing: Gauge,
    buyers_refused: Gauge,
    buyers_unknown: Gauge,
    buyers_held: Gauge,
    buyers_written: Gauge,
    profiles_walked: Gauge,
    profiles_waiting: Gauge,
    profiles_differing: Gauge,
    profiles_parked: Gauge,
    profiles_left_out: Gauge,
    profiles_made: Gauge,
    profiles_told: Gauge,
    compared_last: Gauge,
    compared_differing: Gauge,
    compared: Family<ComparedLabels, Gauge>,
}

impl Flows {
    pub(super) fn register(&self, registry: &mut Registry) {
        let told = "When M3 was last asked for customers, since 1970";
        let polled = self.buyers_polled.clone();
        registry.register_with_unit("buyers_polled", told, Unit::Seconds, polled);
        let told = "When the shop's profiles were last read to the end, since 1970";
        let walked = self.profiles_walked.clone();
        registry.register_with_unit("profiles_walked", told, Unit::Seconds, walked);
        let told = "When both systems were last compared at night, since 1970";
        let last = self.compared_last.clone();
        registry.register_with_unit("compared_last", told, Unit::Seconds, last);
        let gauges = [
            (
                "buyers_waiting",
                "Profiles that wait to be compared or written",
                &self.buyers_waiting,
            ),
            ("buyers_differing", "Profiles that differ from M3", &self.buyers_differing),
            ("buyers_refused", "Profiles whose change the shop refuses", &self.buyers_refused),
            ("buyers_unknown", "Profiles without a certain customer", &self.buyers_unknown),
            ("buyers_held", "Profiles that are too many to be disabled", &self.buyers_held),
            ("buyers_written", "Changes of profiles since the start", &self.buyers_written),
            ("profiles_waiting", "Profiles that wait to be looked at", &self.profiles_waiting),
            ("profiles_differing", "Profiles of which M3 is to be told", &self.profiles_differing),
            ("profiles_parked", "Profiles that need a person", &self.profiles_parked),
            ("profiles_left_out", "Profiles that are left out", &self.profiles_left_out),
            ("profiles_made", "Customers made of profiles since the start", &self.profiles_made),
            ("profiles_told", "Customers told of changes since the start", &self.profiles_told),
            ("compared_differing", "What somebody should look at", &self.compared_differing),
        ];
        for (name, told, gauge) in gauges {
            registry.register(name, told, gauge.clone());
        }
        registry.register("compared", "What was compared, by result", self.compared.clone());
    }

    pub(super) fn set(&self, picture: &Picture) {
        let buyers = picture.buyers.unwrap_or_default();
        self.buyers_polled.set(gauge(buyers.polled_ms / 1_000));
        self.buyers_waiting.set(gauge(buyers.waiting));
        self.buyers_differing.set(gauge(buyers.differing));
        self.buyers_refused.set(gauge(buyers.refused));
        self.buyers_unknown.set(gauge(buyers.unknown));
        self.buyers_held.set(gauge(buyers.held));
        self.buyers_written.set(gauge(buyers.written));
        let profiles = picture.profiles.unwrap_or_default();
        self.profiles_walked.set(gauge(profiles.walked_ms / 1_000));
        self.profiles_waiting.set(gauge(profiles.waiting));
        self.profiles_differing.set(gauge(profiles.differing));
        self.profiles_parked.set(gauge(profiles.parked));
        self.profiles_left_out.set(gauge(profiles.left_out));
        self.profiles_made.set(gauge(profiles.made));
        self.profiles_told.set(gauge(profiles.told));
        self.compared.clear();
        let Some(compared) = &picture.compared else { return };
        self.compared_last.set(gauge(compared.at_ms / 1_000));
        self.compared_differing.set(gauge(compared.differing));
        for ((what, result), count) in &compared.counts {
            let labels = ComparedLabels { what: what.clone(), result: result.clone() };
            self.compared.get_or_create(&labels).set(gauge(*count));
        }
    }
}
