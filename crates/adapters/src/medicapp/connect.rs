//! Medicapp connect v5 (`/v5/patients`).
