//! Query strings → [`super::Query`] and [`super::Criteria`].
