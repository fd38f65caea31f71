//! The migrations and their tool, on a real server.

#[cfg(test)]
mod catalogue;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod moves;
#[cfg(test)]
mod tables;
