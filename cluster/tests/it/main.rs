//! A private cluster on a real machine: whatever PostgreSQL is installed, as whoever runs this.

#[cfg(test)]
mod left_behind;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod place;
#[cfg(test)]
mod refusals;
