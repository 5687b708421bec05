//! Tables and rules of the business: bookings, conversations, numbers, automations, audit.
