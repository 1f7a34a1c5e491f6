//! Timing and Dosage — <https://hl7.org/fhir/R4/datatypes.html#Timing>, <https://hl7.org/fhir/R4/dosage.html>

use super::datatypes::*;
use super::short::*;
use super::{Type, choice, element_type, optional, repeated};
use crate::validate::bindings::*;

element_type! { TIMING "Timing" [
    ID,
    extensions(),
    modifier_extensions(),
    repeated("event", DATE_TIME),
    optional("repeat", Type::Complex(&REPEAT)),
    optional("code", Type::Complex(&CODEABLE_CONCEPT)),
] [] }

element_type! { REPEAT "Timing.repeat" [
    ID,
    extensions(),
    choice("bounds", &[Type::Complex(&DURATION), Type::Complex(&RANGE), Type::Complex(&PERIOD)]),
    optional("count", POSITIVE_INT),
    optional("countMax", POSITIVE_INT),
    optional("duration", DECIMAL),
    optional("durationMax", DECIMAL),
    optional("durationUnit", CODE).bound(&UNITS_OF_TIME),
    optional("frequency", POSITIVE_INT),
    optional("frequencyMax", POSITIVE_INT),
    optional("period", DECIMAL),
    optional("periodMax", DECIMAL),
    optional("periodUnit", CODE).bound(&UNITS_OF_TIME),
    repeated("dayOfWeek", CODE).bound(&DAYS_OF_WEEK),
    repeated("timeOfDay", TIME),
    repeated("when", CODE).bound(&EVENT_TIMING),
    optional("offset", UNSIGNED_INT),
] [Tim1, Tim2, Tim4, Tim5, Tim6, Tim7, Tim8, Tim9, Tim10] }

element_type! { DOSAGE "Dosage" [
    ID,
    extensions(),
    modifier_extensions(),
    optional("sequence", INTEGER),
    optional("text", STRING),
    repeated("additionalInstruction", Type::Complex(&CODEABLE_CONCEPT)),
    optional("patientInstruction", STRING),
    optional("timing", Type::Complex(&TIMING)),
    choice("asNeeded", &[BOOLEAN, Type::Complex(&CODEABLE_CONCEPT)]),
    optional("site", Type::Complex(&CODEABLE_CONCEPT)),
    optional("route", Type::Complex(&CODEABLE_CONCEPT)),
    optional("method", Type::Complex(&CODEABLE_CONCEPT)),
    repeated("doseAndRate", Type::Complex(&DOSE_AND_RATE)),
    optional("maxDosePerPeriod", Type::Complex(&RATIO)),
    optional("maxDosePerAdministration", Type::Complex(&SIMPLE_QUANTITY)),
    optional("maxDosePerLifetime", Type::Complex(&SIMPLE_QUANTITY)),
] [] }

element_type! { DOSE_AND_RATE "Dosage.doseAndRate" [
    ID,
    extensions(),
    optional("type", Type::Complex(&CODEABLE_CONCEPT)),
    choice("dose", &[Type::Complex(&RANGE), Type::Complex(&SIMPLE_QUANTITY)]),
    choice("rate", &[Type::Complex(&RATIO), Type::Complex(&RANGE), Type::Complex(&SIMPLE_QUANTITY)]),
] [] }
