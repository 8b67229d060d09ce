use crate::Work;

#[test]
fn scripts_for_shells() {
    for shell in ["bash", "zsh", "fish"] {
        Work::new()
            .ig(&format!("completions {shell}"))
            .ok()
            .says("snapshot");
    }
    Work::new()
        .ig("completions tcsh")
        .exits(2)
        .says("possible values");
}
