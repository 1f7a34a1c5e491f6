//! Believable people, made from a number: the same number gives the same person, and different numbers
//! give different identifiers. All of them are invented.

mod account;
mod names;
mod patient;
#[cfg(test)]
mod tests;

pub use account::{Account, Carrying, INTERNAL_SYSTEM, NATIONAL_SYSTEM, REGULATOR_PROFILE, REGULATOR_SOURCE};
pub use patient::{INS_NIR_SYSTEM, LOCAL_SYSTEM, Patient, nir_key};

/// Spreads `0..modulus` over itself without collisions; `modulus` must not be a multiple of `FACTOR`'s
/// only prime, 3.
fn permute(number: u64, modulus: u64) -> u64 {
    /// 3 to the 18th: coprime to every modulus without a factor 3.
    const FACTOR: u128 = 387_420_489;
    debug_assert!(
        !modulus.is_multiple_of(3),
        "3 divides the factor and the modulus {modulus}"
    );
    (u128::from(number % modulus) * FACTOR % u128::from(modulus)) as u64
}
