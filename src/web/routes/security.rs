//! The security requirements of routes in the OpenAPI document.

use utoipa::openapi::schema::ComponentsBuilder;
use utoipa::openapi::security::SecurityRequirement;

use super::proof::Proof;
use super::route::Route;

/// Adds every kind of proof as a security scheme.
pub(super) fn schemes(components: ComponentsBuilder) -> ComponentsBuilder {
    Proof::ALL
        .into_iter()
        .fold(components, |components, proof| components.security_scheme(proof.name(), proof.scheme()))
}

/// Returns the alternative proofs that a request to this route needs, or `None` if it needs none.
pub(super) fn requirements(route: &Route) -> Option<Vec<SecurityRequirement>> {
    let access = route.access;
    let mut any_of: Vec<SecurityRequirement> = route
        .proofs
        .iter()
        .map(|all_of| all_of.iter().fold(SecurityRequirement::default(), |all, proof| all.add(proof.name(), [""; 0])))
        .collect();
    if access.owner || access.sitter || access.ops {
        any_of.push(SecurityRequirement::new(Proof::Session.name(), [""; 0]));
    }
    any_of.extend(access.keys.iter().map(|scope| SecurityRequirement::new(Proof::Key.name(), [scope.as_str()])));
    if access.links {
        any_of.push(SecurityRequirement::new(Proof::RequestToken.name(), [""; 0]));
    }
    (!any_of.is_empty()).then_some(any_of)
}
