use crate::support::Home;

#[test]
fn completions_know_the_commands_of_every_shell() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(home.ok(&["completions", shell]).contains("dead-letters"), "{shell}");
    }
    assert_eq!(home.run(&["completions", "tcsh"]).code, 2);
}

#[test]
fn help_and_version_are_data() {
    let home = Home::new();
    assert_eq!(home.ok(&["--version"]), format!("busway {}\n", env!("CARGO_PKG_VERSION")));
    let help = home.ok(&["help"]);
    for command in
        ["serve", "publish", "tail", "events", "subscriptions", "dead-letters", "operations", "bench", "completions"]
    {
        assert!(help.contains(&format!("\n  {command} ")), "{command}");
    }
    assert_eq!(home.run(&[]).code, 2);
}
