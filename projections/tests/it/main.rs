//! The read model on a real PostgreSQL.

#[cfg(test)]
mod aside;
#[cfg(test)]
mod causes;
#[cfg(test)]
mod history;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod indexes;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod lapse;
#[cfg(test)]
mod organization;
#[cfg(test)]
mod readers;
#[cfg(test)]
mod rebuild;
#[cfg(test)]
mod remains;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod runner;
#[cfg(test)]
mod support;
#[cfg(test)]
mod wait;
