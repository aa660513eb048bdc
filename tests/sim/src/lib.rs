//! Simulators of the two systems that Causeway joins.
