//! The identity under which password guesses are counted: account, network, and whether the device is known.
//!
//! Each part is an HMAC under a key derived from the session secret, so neither the table of guesses nor the event log
//! reveals an account or an address, even to a reader who tries all of them.
//!
//! A device that has signed in keeps a cookie that proves it, bound to that account. The cookie grants no access. It
//! only gives the device its own limit, so that guesses of strangers don't lock out the account's owner.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use nightshift_db::Timestamp;
use nightshift_domain::access::throttle::Guesser;
use nightshift_domain::people::users::normal_email;
use secrecy::SecretString;

use super::keyed;
use crate::web::cookie;
use crate::web::error::Result;

/// How long a device is known after a sign-in.
const REMEMBERED: Duration = Duration::from_secs(180 * 24 * 3600);
/// The name of a device's cookie is this prefix and the beginning of the account's hash.
const COOKIE_PREFIX: &str = "device_";
/// The number of hex digits of the account's hash in a cookie's name. It suffices to tell the accounts of one browser
/// apart.
const NAME_DIGITS: usize = 16;
/// The purpose of the code in a device's cookie.
const DEVICE: &[u8] = b"device:";

/// A sender of a sign-in request.
pub(super) struct Visitor {
    key: SecretString,
    /// The keyed hash of the account. It exists whether or not the account does.
    pub(super) account: String,
    /// The keyed hash of the client's network.
    pub(super) network: String,
    address: String,
    /// The id of the device, if it has signed in to this account before.
    device: Option<String>,
}

impl Visitor {
    pub(super) fn new(
        secret: &SecretString,
        headers: &HeaderMap,
        address: IpAddr,
        email: &str,
        now: Timestamp,
    ) -> Self {
        let key = SecretString::from(keyed::code(secret, b"key-of-guesses:", ""));
        let account = keyed::code(&key, b"account:", &normal_email(email));
        let network = keyed::code(&key, b"network:", &network_of(address).to_string());
        let address = keyed::code(&key, b"address:", &address.to_string());
        let device = cookie::named(headers, &cookie_name(&account)).and_then(|text| read(text, &key, &account, now));
        Self { key, account, network, address, device }
    }

    /// Returns the key under which guesses are counted.
    pub(super) fn guesser(&self) -> Guesser {
        match &self.device {
            Some(device) => Guesser::Device(device.clone()),
            None => Guesser::Stranger {
                address: self.address.clone(),
                account: keyed::code(&self.key, b"account-and-network:", &format!("{}.{}", self.account, self.network)),
            },
        }
    }

    /// Returns the cookie that makes this device known from now on.
    pub(super) fn remember(&self, public_url: &str, now: Timestamp) -> Result<HeaderValue> {
        let text = self.remembered(now);
        cookie::set(public_url, &cookie_name(&self.account), &text, REMEMBERED)
    }

    fn remembered(&self, now: Timestamp) -> String {
        let id = self.device.clone().unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string());
        let until = (now + REMEMBERED).unix_seconds();
        let signature = keyed::code(&self.key, DEVICE, &signed(&self.account, &id, until));
        format!("{id}.{until}.{signature}")
    }
}

fn cookie_name(account: &str) -> String {
    format!("{COOKIE_PREFIX}{}", account.get(..NAME_DIGITS).unwrap_or(account))
}

/// Returns the id of the device if the cookie is signed by us, belongs to this account, and has not expired.
fn read(text: &str, key: &SecretString, account: &str, now: Timestamp) -> Option<String> {
    let (id, rest) = text.split_once('.')?;
    let (until, signature) = rest.split_once('.')?;
    let until: i64 = until.parse().ok()?;
    let good = keyed::is_good(key, DEVICE, &signed(account, id, until), signature);
    (good && until > now.unix_seconds()).then(|| id.to_owned())
}

fn signed(account: &str, id: &str, until: i64) -> String {
    format!("{account}.{id}.{until}")
}

/// Returns the network of an address: an IPv4 /24, or an IPv6 /64, which is what one customer gets.
fn network_of(address: IpAddr) -> IpAddr {
    match crate::web::rate_limit::network(address) {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            Ipv4Addr::new(a, b, c, 0).into()
        }
        network @ IpAddr::V6(_) => network,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;
    use axum::http::header;

    const DAY: i64 = 24 * 3600;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_ms(seconds * 1000)
    }

    fn visitor(secret: &str, address: &str, email: &str, cookies: &str, now: Timestamp) -> Visitor {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(cookies).unwrap());
        Visitor::new(&secret.into(), &headers, address.parse().unwrap(), email, now)
    }

    fn stranger(address: &str, email: &str) -> (String, String) {
        match visitor("secret", address, email, "", at(0)).guesser() {
            Guesser::Stranger { address, account } => (address, account),
            Guesser::Device(_) => panic!("no cookie was shown"),
        }
    }

    #[test]
    fn an_account_is_counted_by_network_and_an_address_by_itself() {
        let one = stranger("203.0.113.5", "ann@example.com");
        let (address, account) = stranger("203.0.113.200", " Ann@Example.com ");
        assert!(account == one.1 && address != one.0);
        assert_ne!(stranger("203.0.114.5", "ann@example.com").1, one.1);
        assert_ne!(stranger("203.0.113.5", "bob@example.com").1, one.1);
        assert_eq!(stranger("203.0.113.5", "bob@example.com").0, one.0);
        assert_eq!(stranger("::ffff:203.0.113.5", "ann@example.com").1, one.1);
        let v6 = stranger("2001:db8:1:2::1", "ann@example.com");
        assert_eq!(stranger("2001:db8:1:2:9::7", "ann@example.com").1, v6.1);
        assert_ne!(stranger("2001:db8:1:3::1", "ann@example.com").1, v6.1);
    }

    #[test]
    fn a_device_is_known_to_the_account_that_it_has_signed_in_to_alone() {
        let first = visitor("secret", "203.0.113.5", "ann@example.com", "", at(0));
        let cookie = format!("{}={}", cookie_name(&first.account), first.remembered(at(0)));
        let is_known = |secret: &str, email: &str, cookie: &str, now| {
            let visitor = visitor(secret, "198.51.100.9", email, cookie, now);
            matches!(visitor.guesser(), Guesser::Device(_))
        };
        assert!(is_known("secret", "ANN@example.com", &cookie, at(179 * DAY)));
        assert!(!is_known("secret", "ann@example.com", &cookie, at(181 * DAY)), "it is forgotten in the end");
        assert!(!is_known("another", "ann@example.com", &cookie, at(0)));
        let bobs = cookie_name(&visitor("secret", "203.0.113.5", "bob@example.com", "", at(0)).account);
        let renamed = format!("{bobs}={}", first.remembered(at(0)));
        assert!(!is_known("secret", "bob@example.com", &renamed, at(0)), "it is bound to its account");
        let longer = cookie.replace(&(180 * DAY).to_string(), &(999 * DAY).to_string());
        assert_ne!(longer, cookie);
        for changed in [longer.as_str(), "device_=", "device_1=..", &cookie[..cookie.len() - 1]] {
            assert!(!is_known("secret", "ann@example.com", changed, at(0)), "{changed}");
        }
    }

    #[test]
    fn a_device_keeps_its_id_when_it_signs_in_again() {
        let first = visitor("secret", "203.0.113.5", "ann@example.com", "", at(0));
        let text = first.remembered(at(0));
        let cookie = format!("{}={text}", cookie_name(&first.account));
        let again = visitor("secret", "203.0.113.5", "ann@example.com", &cookie, at(DAY));
        assert_eq!(again.remembered(at(DAY)).split('.').next(), text.split('.').next());
    }
}
