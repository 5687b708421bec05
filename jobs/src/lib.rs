//! Every job of the business, one file each.
