//! The log on real PostgreSQL, and the contract that memory and PostgreSQL both keep.

#[cfg(test)]
mod canonical;
#[cfg(test)]
mod concurrency;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod grants;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod lease;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod parked;
#[cfg(test)]
mod subscribe;
#[cfg(test)]
mod support;
#[cfg(test)]
mod timers;
