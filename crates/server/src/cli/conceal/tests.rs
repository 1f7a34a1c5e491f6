use super::*;

fn taken(arguments: &[&str]) -> Option<(Vec<OsString>, OsString)> {
    let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    without_password(&arguments)
}

#[test]
fn a_url_with_a_password_leaves_the_command_line() {
    for url in [
        "postgres://user:secret@host/name",
        "postgresql://user:a@b@host/name?sslmode=require",
        "postgres://user@host/name?password=secret",
        "postgres:///name?user=u&sslpassword=secret",
    ] {
        let glued = format!("--database={url}");
        for arguments in [
            vec!["serve", "--database", url, "--workers", "2"],
            vec!["serve", glued.as_str(), "--workers", "2"],
        ] {
            let (rest, found) = taken(&arguments).expect("a password");
            assert_eq!(rest, ["serve", "--workers", "2"]);
            assert_eq!(found, url);
        }
    }
}

#[test]
fn nothing_else_does() {
    for arguments in [
        vec!["serve"],
        vec!["serve", "--database"],
        vec!["serve", "--database", "sqlite:a:b@c.db"],
        vec![
            "serve",
            "--database",
            "postgres://user@host:5432/name?host=/run/postgresql",
        ],
        vec!["serve", "--databases", "postgres://user:secret@host/name"],
        vec!["serve", "--base-url", "postgres://user:secret@host/name"],
    ] {
        assert_eq!(taken(&arguments), None, "{arguments:?}");
    }
}
