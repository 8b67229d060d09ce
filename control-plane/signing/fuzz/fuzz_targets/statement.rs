//! Any bytes as a statement: refused, or one; what may be signed of it is read
//! back as it was.
#![no_main]

use ig_signing::Statement;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(read) = Statement::parse(bytes) else {
        return;
    };
    assert!(!read.subjects().is_empty());
    let again = Statement::new(
        read.subjects().to_vec(),
        read.predicate_type(),
        read.predicate().clone(),
    );
    if let Ok(statement) = again {
        assert_eq!(Statement::parse(&statement.to_bytes()), Ok(statement));
    }
});
