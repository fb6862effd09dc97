//! Manifest in, generated files out. Pure: no clock, no host name, no random
//! order; the same manifest gives the same bytes.
