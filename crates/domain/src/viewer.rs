//! Whose eyes a read is made for: which rows it may return, and which phone numbers it may show.
//!
//! Every read of bookings, conversations, requests, prices, exceptions and logs takes a [`Viewer`] and narrows its
//! statement by it, so a caller can't forget to. A row that is out of reach does not exist for the viewer: it is
//! [`Error::NotFound`] by its id and missing from lists. A list that a viewer has no part in at all is refused.
//!
//! Jobs and the command line read as [`Viewer::all`].

use crate::audience::Audience;
use crate::ids::{OrgId, RequestId, SitterId};
use crate::page::contains_pattern;
use crate::{Error, Result};

/// Which rows a viewer may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Those of every organisation, and the platform's own.
    All,
    /// Those of one organisation.
    Org(OrgId),
    /// Of one organisation, what concerns one of its sitters: their bookings and windows, and conversations while a
    /// window of theirs is active.
    Sitter {
        /// The sitter's organisation.
        org: OrgId,
        /// The sitter.
        sitter: SitterId,
    },
    /// One request for an appointment, with its providers and calls.
    Request(RequestId),
    /// None.
    Nothing,
}

/// What narrows a list to the rows that a viewer may see; only a [`Viewer`] makes one.
#[derive(Debug)]
pub(crate) struct Scope<'v>([Option<(&'static str, &'v str)>; 2]);

impl<'v> Scope<'v> {
    /// Conditions, and the value of each.
    pub(crate) fn into_conditions(self) -> impl Iterator<Item = (&'static str, &'v str)> {
        self.0.into_iter().flatten()
    }
}

/// Somebody who reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    reach: Reach,
    audience: Audience,
}

impl Viewer {
    /// Sees every row; for jobs and the command line, which act for nobody, and for operators.
    #[must_use]
    pub fn all() -> Self {
        Self::new(Reach::All, Audience::Ops)
    }

    /// Sees the rows of one organisation.
    #[must_use]
    pub fn of_org(org: OrgId, audience: Audience) -> Self {
        Self::new(Reach::Org(org), audience)
    }

    /// A sitter.
    #[must_use]
    pub fn sitter(org: OrgId, sitter: SitterId) -> Self {
        Self::new(Reach::Sitter { org, sitter }, Audience::Sitter)
    }

    /// Whoever holds the link of a request.
    #[must_use]
    pub fn of_request(request: RequestId) -> Self {
        Self::new(Reach::Request(request), Audience::Sitter)
    }

    /// Somebody unknown.
    #[must_use]
    pub fn nobody() -> Self {
        Self::new(Reach::Nothing, Audience::Sitter)
    }

    /// Sees these rows, with the phone numbers that are shown to this audience.
    #[must_use]
    pub fn new(reach: Reach, audience: Audience) -> Self {
        Self { reach, audience }
    }

    /// The same rows, shown as to another audience.
    #[must_use]
    pub fn shown_to(self, audience: Audience) -> Self {
        Self { audience, ..self }
    }

    /// Which rows.
    #[must_use]
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Which phone numbers.
    #[must_use]
    pub fn audience(&self) -> Audience {
        self.audience
    }

    /// The organisation they belong to.
    #[must_use]
    pub fn org_id(&self) -> Option<&OrgId> {
        match &self.reach {
            Reach::Org(org) | Reach::Sitter { org, .. } => Some(org),
            Reach::All | Reach::Request(_) | Reach::Nothing => None,
        }
    }

    /// The sitter they are.
    #[must_use]
    pub fn sitter_id(&self) -> Option<&SitterId> {
        match &self.reach {
            Reach::Sitter { sitter, .. } => Some(sitter),
            _ => None,
        }
    }

    /// Whether they see all that belongs to this organisation, or to the platform when it is none.
    #[must_use]
    pub fn sees_org(&self, org: Option<&OrgId>) -> bool {
        match &self.reach {
            Reach::All => true,
            Reach::Org(own) => org == Some(own),
            Reach::Sitter { .. } | Reach::Request(_) | Reach::Nothing => false,
        }
    }

    /// Whether they see this request for an appointment, which belongs to `org`.
    #[must_use]
    pub fn sees_request(&self, org: &OrgId, request: &RequestId) -> bool {
        match &self.reach {
            Reach::Request(own) => own == request,
            _ => self.sees_org(Some(org)),
        }
    }

    /// The one organisation that a read is about: its owner's or its sitter's.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for viewers that belong to none.
    pub(crate) fn organization(&self) -> Result<&OrgId> {
        self.org_id()
            .ok_or_else(|| Error::forbidden("organization", "This needs an organisation, and you belong to none."))
    }

    /// As [`organization`](Self::organization), for what sitters have no part in.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for sitters and for viewers that belong to no organisation.
    pub(crate) fn own_organization(&self) -> Result<&OrgId> {
        self.org_rows()?;
        self.organization()
    }

    /// What narrows rows that sitters have no part in: the organisation, or nothing for those who see all.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for sitters, holders of links and nobody.
    pub(crate) fn org_rows(&self) -> Result<Option<&OrgId>> {
        match &self.reach {
            Reach::All => Ok(None),
            Reach::Org(org) => Ok(Some(org)),
            Reach::Sitter { .. } | Reach::Request(_) | Reach::Nothing => Err(out_of_reach()),
        }
    }

    /// What narrows rows of bookings: the organisation and the sitter, as far as they narrow.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for holders of links and nobody.
    pub(crate) fn booking_rows(&self) -> Result<(Option<&OrgId>, Option<&SitterId>)> {
        match &self.reach {
            Reach::Sitter { org, sitter } => Ok((Some(org), Some(sitter))),
            _ => Ok((self.org_rows()?, None)),
        }
    }

    /// What narrows rows of requests and their calls: the organisation and the request, as far as they narrow.
    ///
    /// # Errors
    /// [`Error::NotFound`] for sitters and nobody: requests are read by their ids alone.
    pub(crate) fn request_rows(&self) -> Result<(Option<&OrgId>, Option<&RequestId>)> {
        match &self.reach {
            Reach::Request(request) => Ok((None, Some(request))),
            _ => Ok((self.org_rows().map_err(|_| Error::NotFound)?, None)),
        }
    }

    /// [`org_rows`](Self::org_rows) as the scope of a list; `org` is the condition on the organisation.
    ///
    /// # Errors
    /// As [`org_rows`](Self::org_rows).
    pub(crate) fn org_scope(&self, org: &'static str) -> Result<Scope<'_>> {
        Ok(Scope([self.org_rows()?.map(|id| (org, id.as_str())), None]))
    }

    /// [`own_organization`](Self::own_organization) as the scope of a list.
    ///
    /// # Errors
    /// As [`own_organization`](Self::own_organization).
    pub(crate) fn own_org_scope(&self, org: &'static str) -> Result<Scope<'_>> {
        Ok(Scope([Some((org, self.own_organization()?.as_str())), None]))
    }

    /// [`organization`](Self::organization) as the scope of a list in which a sitter's part is narrowed otherwise.
    ///
    /// # Errors
    /// As [`organization`](Self::organization).
    pub(crate) fn organization_scope(&self, org: &'static str) -> Result<Scope<'_>> {
        Ok(Scope([Some((org, self.organization()?.as_str())), None]))
    }

    /// The rows of the viewer's organisation and of one sitter: the one who reads, whoever is named; for others the one
    /// that is named, or all. `org` and `sitter` are the conditions.
    ///
    /// # Errors
    /// As [`organization`](Self::organization).
    pub(crate) fn sitter_scope<'v>(
        &'v self,
        org: &'static str,
        sitter: &'static str,
        named: Option<&'v SitterId>,
    ) -> Result<Scope<'v>> {
        let of_sitter = self.sitter_id().or(named).map(|id| (sitter, id.as_str()));
        Ok(Scope([Some((org, self.organization()?.as_str())), of_sitter]))
    }

    /// The `LIKE` pattern of a search in names and phone numbers. None for those who are not shown clients' numbers:
    /// they would find a number out by searching for its digits.
    pub(crate) fn search(&self, typed: Option<&str>) -> Option<String> {
        typed.filter(|_| self.audience == Audience::Owner).map(contains_pattern)
    }
}

fn out_of_reach() -> Error {
    Error::forbidden("role", "You may not see this.")
}
