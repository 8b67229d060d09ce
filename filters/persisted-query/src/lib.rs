//! GraphQL-over-HTTP request decoding, allow-list look-up and canonical re-emission
