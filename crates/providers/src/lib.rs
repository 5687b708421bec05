//! The outside services: signatures, payloads, clients, and simulators that speak real HTTP.
