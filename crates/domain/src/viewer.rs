//! Who reads: which rows a read may return, and which phone numbers it may show.
//!
//! Every read of bookings, threads, service requests, prices, exceptions and logs takes a [`Viewer`] and restricts its
//! statement by it, so a caller can't forget to. A row out of reach does not exist for the viewer: it is
//! [`Error::NotFound`] by its id and missing from lists. A list that a viewer may not read at all is refused. Jobs and
//! the command line read as [`Viewer::all`].

use crate::audience::Audience;
use crate::ids::{OrgId, ServiceRequestId, SitterId};
use crate::page::Search;
use crate::{Error, Result};

/// Which rows a viewer may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Those of every organisation, and the platform's own.
    All,
    Org(OrgId),
    /// What concerns one sitter of an organisation: their bookings and windows, and threads while a window of theirs is
    /// active.
    Sitter {
        org: OrgId,
        sitter: SitterId,
    },
    /// One service request, with its providers and calls.
    Request(ServiceRequestId),
    Nothing,
}

/// The conditions that restrict a list to the rows that a viewer may see. Only a [`Viewer`] can create it.
#[derive(Debug)]
pub(crate) struct Scope<'v>([Option<(&'static str, &'v str)>; 2]);

impl<'v> Scope<'v> {
    /// Returns the conditions with the value of each.
    pub(crate) fn into_conditions(self) -> impl Iterator<Item = (&'static str, &'v str)> {
        self.0.into_iter().flatten()
    }
}

/// A reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    reach: Reach,
    audience: Audience,
}

impl Viewer {
    /// Creates a viewer that sees every row: a job, the command line, or an operator of the platform.
    #[must_use]
    pub fn all() -> Self {
        Self::new(Reach::All, Audience::Ops)
    }

    /// Creates a viewer that sees the rows of one organisation.
    #[must_use]
    pub fn of_org(org: OrgId, audience: Audience) -> Self {
        Self::new(Reach::Org(org), audience)
    }

    #[must_use]
    pub fn sitter(org: OrgId, sitter: SitterId) -> Self {
        Self::new(Reach::Sitter { org, sitter }, Audience::Sitter)
    }

    /// Creates a viewer for the link of one service request.
    #[must_use]
    pub fn of_request(request: ServiceRequestId) -> Self {
        Self::new(Reach::Request(request), Audience::Sitter)
    }

    /// Creates a viewer that sees nothing, for an unknown reader.
    #[must_use]
    pub fn nobody() -> Self {
        Self::new(Reach::Nothing, Audience::Sitter)
    }

    /// Creates a viewer that sees the rows in `reach`, with the phone numbers that `audience` may see.
    #[must_use]
    pub fn new(reach: Reach, audience: Audience) -> Self {
        Self { reach, audience }
    }

    /// Changes which phone numbers the viewer sees, not which rows.
    #[must_use]
    pub fn shown_to(self, audience: Audience) -> Self {
        Self { audience, ..self }
    }

    #[must_use]
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    #[must_use]
    pub fn audience(&self) -> Audience {
        self.audience
    }

    /// Returns the organisation that the viewer belongs to, if any.
    #[must_use]
    pub fn org_id(&self) -> Option<&OrgId> {
        match &self.reach {
            Reach::Org(org) | Reach::Sitter { org, .. } => Some(org),
            Reach::All | Reach::Request(_) | Reach::Nothing => None,
        }
    }

    /// Returns the sitter that the viewer is, if so.
    #[must_use]
    pub fn sitter_id(&self) -> Option<&SitterId> {
        match &self.reach {
            Reach::Sitter { sitter, .. } => Some(sitter),
            _ => None,
        }
    }

    /// Whether the viewer sees everything that belongs to this organisation, or to the platform if `org` is `None`.
    #[must_use]
    pub fn sees_org(&self, org: Option<&OrgId>) -> bool {
        match &self.reach {
            Reach::All => true,
            Reach::Org(own) => org == Some(own),
            Reach::Sitter { .. } | Reach::Request(_) | Reach::Nothing => false,
        }
    }

    /// Whether the viewer sees this service request of `org`.
    #[must_use]
    pub fn sees_request(&self, org: &OrgId, request: &ServiceRequestId) -> bool {
        match &self.reach {
            Reach::Request(own) => own == request,
            _ => self.sees_org(Some(org)),
        }
    }

    /// Returns the organisation of an owner or a sitter.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for viewers without an organisation.
    pub(crate) fn organization(&self) -> Result<&OrgId> {
        self.org_id()
            .ok_or_else(|| Error::forbidden("organization", "This needs an organisation, and you belong to none."))
    }

    /// Does the same as [`organization`](Self::organization), for reads that sitters may not make.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for sitters and for viewers without an organisation.
    pub(crate) fn own_organization(&self) -> Result<&OrgId> {
        self.org_rows()?;
        self.organization()
    }

    /// Returns the organisation to which reads that sitters may not make are restricted; `None` for no restriction.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for sitters, for holders of a link, and for unknown viewers.
    pub(crate) fn org_rows(&self) -> Result<Option<&OrgId>> {
        match &self.reach {
            Reach::All => Ok(None),
            Reach::Org(org) => Ok(Some(org)),
            Reach::Sitter { .. } | Reach::Request(_) | Reach::Nothing => Err(out_of_reach()),
        }
    }

    /// Returns the organisation and the sitter to which reads of bookings are restricted; `None` for no restriction.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for holders of a link and for unknown viewers.
    pub(crate) fn booking_rows(&self) -> Result<(Option<&OrgId>, Option<&SitterId>)> {
        match &self.reach {
            Reach::Sitter { org, sitter } => Ok((Some(org), Some(sitter))),
            _ => Ok((self.org_rows()?, None)),
        }
    }

    /// Returns the organisation and the request to which reads of service requests and calls are restricted; `None` for
    /// no restriction.
    ///
    /// # Errors
    /// [`Error::NotFound`] for sitters and unknown viewers, because service requests are only read by id.
    pub(crate) fn request_rows(&self) -> Result<(Option<&OrgId>, Option<&ServiceRequestId>)> {
        match &self.reach {
            Reach::Request(request) => Ok((None, Some(request))),
            _ => Ok((self.org_rows().map_err(|_| Error::NotFound)?, None)),
        }
    }

    /// Returns the scope of a list for [`org_rows`](Self::org_rows); `org` is the condition on the organisation.
    ///
    /// # Errors
    /// As [`org_rows`](Self::org_rows).
    pub(crate) fn org_scope(&self, org: &'static str) -> Result<Scope<'_>> {
        Ok(Scope([self.org_rows()?.map(|id| (org, id.as_str())), None]))
    }

    /// Returns the scope of a list for [`own_organization`](Self::own_organization).
    ///
    /// # Errors
    /// As [`own_organization`](Self::own_organization).
    pub(crate) fn own_org_scope(&self, org: &'static str) -> Result<Scope<'_>> {
        Ok(Scope([Some((org, self.own_organization()?.as_str())), None]))
    }

    /// Returns the scope of a list for [`organization`](Self::organization). The caller restricts the list further for
    /// sitters.
    ///
    /// # Errors
    /// As [`organization`](Self::organization).
    pub(crate) fn organization_scope(&self, org: &'static str) -> Result<Scope<'_>> {
        Ok(Scope([Some((org, self.organization()?.as_str())), None]))
    }

    /// Returns the scope of a list of one sitter's rows in the viewer's organisation. A sitter gets their own rows,
    /// whoever is `named`; others get the rows of `named`, or of all sitters if it is `None`. `org` and `sitter` are
    /// the conditions.
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

    /// Returns what to search for in names and phone numbers. Returns `None` for viewers who may not see clients'
    /// numbers, because they could find out a number by searching for its digits.
    pub(crate) fn search(&self, typed: Option<&str>) -> Option<Search> {
        typed.filter(|_| self.audience == Audience::Owner).map(Search::of)
    }
}

fn out_of_reach() -> Error {
    Error::forbidden("role", "You may not see this.")
}
