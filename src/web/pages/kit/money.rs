//! Formats amounts of money.

/// Formats an amount in minor units with its currency code: `45.00 USD`.
pub(in crate::web::pages) fn money(minor: &i64, currency: &str) -> String {
    /// Currencies without a minor unit (ISO 4217).
    const WHOLE: [&str; 6] = ["CLP", "ISK", "JPY", "KRW", "UGX", "VND"];
    let (sign, size) = (if *minor < 0 { "-" } else { "" }, minor.unsigned_abs());
    if WHOLE.contains(&currency) {
        return format!("{sign}{size} {currency}");
    }
    format!("{sign}{}.{:02} {currency}", size / 100, size % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_people_write_them() {
        assert_eq!(money(&-5, "USD"), "-0.05 USD");
        assert_eq!(money(&123_456, "EUR"), "1234.56 EUR");
        assert_eq!(money(&500, "JPY"), "500 JPY");
    }
}
