//! W3C Trace Context: the id that ties a request to what caused it and what it causes.

use uuid::Uuid;

use crate::clock::mint;

/// A trace and our own span in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    id: Uuid,
    span: u64,
    sampled: bool,
}

impl Trace {
    /// A new trace, for a request that brought none.
    #[must_use]
    pub fn start() -> Self {
        Self { id: mint(), span: fresh_span(), sampled: true }
    }

    /// Goes on with the trace of a `traceparent` header, in a span of our own.
    ///
    /// `None` for anything that is not well-formed: the standard says to start anew then.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let mut fields = header.split('-');
        let (version, trace, parent, flags) =
            (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let hex = |text: &str, len: usize| {
            text.len() == len && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        if !hex(version, 2) || !hex(trace, 32) || !hex(parent, 16) || !hex(flags, 2) {
            return None;
        }
        // Only version 00 promises to end after four fields; ff is forbidden.
        if version == "ff" || (version == "00" && fields.next().is_some()) {
            return None;
        }
        let id = Uuid::try_parse(trace).ok().filter(|id| !id.is_nil())?;
        u64::from_str_radix(parent, 16).ok().filter(|parent| *parent != 0)?;
        let flags = u8::from_str_radix(flags, 16).ok()?;
        Some(Self { id, span: fresh_span(), sampled: flags & 1 == 1 })
    }

    /// The trace id.
    #[must_use]
    pub fn id(self) -> Uuid {
        self.id
    }

    /// The trace id as 32 hexadecimal digits, as logs and problems carry it.
    #[must_use]
    pub fn id_hex(self) -> String {
        self.id.simple().to_string()
    }

    /// The `traceparent` to hand on: same trace, our span as the parent.
    #[must_use]
    pub fn header(self) -> String {
        let flags = u8::from(self.sampled);
        format!("00-{}-{:016x}-{flags:02x}", self.id.simple(), self.span)
    }
}

/// The random half of a fresh id; never zero, because its variant bits are set.
fn fresh_span() -> u64 {
    mint().as_u64_pair().1
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

    #[test]
    fn the_trace_is_kept_and_the_span_is_ours() {
        let header = Trace::parse(GOOD).unwrap().header();
        assert!(header.starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
        assert!(header.ends_with("-00"));
        assert_ne!(header, GOOD);
    }

    #[test]
    fn what_is_not_well_formed_starts_anew() {
        for bad in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        ] {
            assert_eq!(Trace::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_later_version_may_carry_more() {
        assert!(Trace::parse(&format!("{}-more", GOOD.replacen("00", "01", 1))).is_some());
    }
}
