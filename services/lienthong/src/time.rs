//! Time as officers write it: dd/MM/yyyy HH:mm at UTC+7, all year. Inside it stays milliseconds since 1970 UTC.

use lienthong_core::code::civil;

const UTC_OFFSET_MS: i64 = 7 * 3_600_000;
const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;

/// Now, in milliseconds since 1970 UTC; 0 on a clock before that.
pub(crate) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// `22/11/2024 08:05`.
pub(crate) fn short(ms: i64) -> String {
    let (y, m, d, hour, minute) = parts(ms);
    format!("{d:02}/{m:02}/{y} {hour:02}:{minute:02}")
}

/// `08 giờ 05 phút, ngày 22 tháng 11 năm 2024`, as forms of the one-stop desk write it.
pub(crate) fn long(ms: i64) -> String {
    let (y, m, d, hour, minute) = parts(ms);
    format!("{hour:02} giờ {minute:02} phút, ngày {d:02} tháng {m:02} năm {y}")
}

/// Reads `dd/MM/yyyy HH:mm`, local. For clap: the fault is a sentence.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    let fault =
        || format!("'{text}' is not a time; write dd/MM/yyyy HH:mm, such as 22/11/2024 16:30 (UTC+7)");
    let (date, clock) = text.trim().split_once(' ').ok_or_else(fault)?;
    let number = |t: &str| t.parse::<i64>().ok().filter(|_| t.bytes().all(|b| b.is_ascii_digit()));
    let date: Vec<i64> = date.split('/').map(number).collect::<Option<_>>().ok_or_else(fault)?;
    let clock: Vec<i64> = clock.split(':').map(number).collect::<Option<_>>().ok_or_else(fault)?;
    let ([d, m, y], [hour, minute]) = (date.as_slice(), clock.as_slice()) else { return Err(fault()) };
    if !(1970..=9999).contains(y) || !(0..24).contains(hour) || !(0..60).contains(minute) {
        return Err(fault());
    }
    let days = days(*y, *m, *d);
    // A day that does not come back unchanged, such as 31/02, is no day.
    let (y2, m2, d2) = civil(days);
    if (y2, i64::from(m2), i64::from(d2)) != (*y, *m, *d) {
        return Err(fault());
    }
    Ok(days * DAY_MS + (hour * 60 + minute) * MINUTE_MS - UTC_OFFSET_MS)
}

fn parts(ms: i64) -> (i64, u32, u32, i64, i64) {
    let local = ms.saturating_add(UTC_OFFSET_MS);
    let (y, m, d) = civil(local.div_euclid(DAY_MS));
    let minutes = local.rem_euclid(DAY_MS) / MINUTE_MS;
    (y, m, d, minutes / 60, minutes % 60)
}

/// Days since 1970-01-01 (H. Hinnant, "chrono-compatible date algorithms"); the inverse of [`civil`].
fn days(y: i64, m: i64, d: i64) -> i64 {
    let y = if m <= 2 { y - 1 } else { y };
    let era = y.div_euclid(400);
    let yoe = y - era * 400;
    let doy = (153 * (m + if m > 2 { -3 } else { 9 }) + 2) / 5 + d - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_local() {
        // 2024-01-15 17:30 UTC is half past midnight of the 16th in Viet Nam.
        assert_eq!(short(1_705_339_800_000), "16/01/2024 00:30");
        assert_eq!(long(1_705_339_800_000), "00 giờ 30 phút, ngày 16 tháng 01 năm 2024");
        assert_eq!(short(0), "01/01/1970 07:00");
    }

    #[test]
    fn reading_and_writing_agree() {
        for text in ["16/01/2024 00:30", "29/02/2024 23:59", "31/12/1999 07:00", "01/03/2100 12:00"] {
            assert_eq!(short(parse(text).unwrap()), text);
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "16/01/2024",
            "31/02/2024 10:00",
            "16/01/2024 24:00",
            "16-01-2024 10:00",
            "1/1/1/1 1:1",
            "+1/01/2024 10:00",
            "01/13/2024 10:00",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
