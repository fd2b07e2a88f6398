//! Dossier codes (mã số hồ sơ) and procedure codes: shapes seen in the law and in use.

use alloc::format;
use alloc::string::String;

use crate::ids::WallMs;
use crate::limits;

/// Viet Nam is UTC+7 and has no summer time.
const UTC_OFFSET_MS: i64 = 7 * 3_600_000;

/// A parsed dossier code `<agency code>-<yymmdd>-<number>` (NĐ 61/2018 Điều 26). Numbers have four digits in the
/// law; codes born on national portals carry up to seven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DossierCode<'a> {
    /// Groups of `A–Z 0–9`, at most seven, between dots.
    pub agency: &'a str,
    /// Day of receipt, `yymmdd`.
    pub day: &'a str,
    /// Running number of that day.
    pub number: u32,
}

impl<'a> DossierCode<'a> {
    /// Parses a code; `None` when the shape is wrong.
    pub fn parse(text: &'a str) -> Option<Self> {
        if text.len() > limits::CODE_BYTES {
            return None;
        }
        let mut parts = text.rsplitn(3, '-');
        let (number, day, agency) = (parts.next()?, parts.next()?, parts.next()?);
        let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
        let group =
            |g: &str| !g.is_empty() && g.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        let good = (4..=7).contains(&number.len())
            && digits(number)
            && day.len() == 6
            && digits(day)
            && agency.split('.').count() <= 7
            && agency.split('.').all(group);
        good.then(|| Self { agency, day, number: number.parse().unwrap_or(0) })
    }
}

/// The code an agency issues as number `number` of the day of `at`.
pub fn issue(agency_code: &str, at: WallMs, number: u32) -> String {
    format!("{agency_code}-{}-{number:04}", day(at))
}

/// Names the counter of a day and an agency code: codes with a foreign prefix, taken over from a portal, do not count.
pub fn counter(day: &str, agency_code: &str) -> String {
    format!("{day}-{agency_code}")
}

/// The local day as `yymmdd`.
pub fn day(at: WallMs) -> String {
    let days = (at.0 + UTC_OFFSET_MS).div_euclid(86_400_000);
    let (y, m, d) = civil(days);
    format!("{:02}{m:02}{d:02}", y.rem_euclid(100))
}

/// Year, month and day of a count of days since 1970-01-01 (H. Hinnant, "chrono-compatible date algorithms").
pub fn civil(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = (doy - (153 * mp + 2) / 5 + 1) as u32;
    let month = if mp < 10 { mp + 3 } else { mp - 9 } as u32;
    (yoe + era * 400 + i64::from(month <= 2), month, day)
}

/// Whether a procedure code has the national shape `d.dddddd`, with or without the issuing authority behind it,
/// or that of a local one (`TS_lop1.000.00.00.H22`): groups of letters, digits and `_` between dots.
pub fn is_procedure(text: &str) -> bool {
    let group = |g: &str| !g.is_empty() && g.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    text.len() <= limits::PROCEDURE_BYTES && text.split('.').count() >= 2 && text.split('.').all(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_seen_in_use_parse() {
        for (text, agency, number) in [
            ("000.00.16.H22-240115-0001", "000.00.16.H22", 1),
            ("H15.50.05.13-261008-0975", "H15.50.05.13", 975),
            ("G01-250701-1234567", "G01", 1_234_567),
        ] {
            let code = DossierCode::parse(text).unwrap();
            assert_eq!((code.agency, code.number), (agency, number));
        }
    }

    #[test]
    fn wrong_codes_do_not() {
        for text in [
            "",
            "H22",
            "H22-240115",
            "h22-240115-0001",
            "H22-24011-0001",
            "H22-240115-001",
            "H22..1-240115-0001",
            "H22-240115-12345678",
            "H1.2.3.4.5.6.7.8-240115-0001",
            "Hồ-240115-0001",
        ] {
            assert_eq!(DossierCode::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_day_is_local() {
        // 2024-01-15 17:30 UTC is already the 16th in Viet Nam.
        assert_eq!(day(WallMs(1_705_339_800_000)), "240116");
        assert_eq!(issue("H51.16", WallMs(1_705_276_800_000), 7), "H51.16-240115-0007");
    }

    #[test]
    fn procedure_codes() {
        assert!(
            is_procedure("1.001193")
                && is_procedure("1.001776.000.00.00.H12")
                && is_procedure("TS_lop1.000.H22")
        );
        assert!(
            !is_procedure("") && !is_procedure("1001193") && !is_procedure("1..2") && !is_procedure("1.00 1")
        );
    }
}
