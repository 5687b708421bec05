//! Service requests: a person asks for a service, service providers are recommended, and a call books an appointment with
//! one of them.
//!
//! A request is `BOOKING` exactly while it has a call that has not ended; a constraint of the database allows only one.
//! Every end of a call goes through [`complete`](fn@complete), which first checks whether the call has ended already. A
//! poll and a report that arrive together therefore end it once.

mod call;
mod closing;
mod complete;
mod past;
mod request;
mod requests;
mod schedule;
mod start;
mod tell;
mod view;

pub use call::{Call, CallMode, CallStatus, load, lock, peek};
pub use closing::{Appointment, Ending};
pub use complete::{Completed, complete};
pub use past::appointment_at;
pub use request::{ServiceRequest, ServiceRequestStatus};
pub use requests::{NewServiceProvider, NewServiceRequest, add_providers, cancel_request, create};
pub use schedule::{NewCall, Scheduled, prefers_past, schedule};
pub use start::{Dialing, StartDecision, adopt, analysing, begin, by_report, not_started, started};
pub use tell::notify_despite_failure;
pub use view::{
    CallView, ServiceProviderView, ServiceRequestView, call_by_execution, last_call, list, org_of_request,
    request_of_execution, view,
};
