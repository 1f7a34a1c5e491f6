use super::*;

#[test]
fn numbers_with_an_exponent_are_found_outside_of_texts() {
    let text = r#"{"1e1":"2e2 \" 3e3 \\","a":[1,-2.5E-7,true,false,null,1e0],"b\\":4E+01,"c":-0.0,"d":"é"}"#;
    assert_eq!(of_json(text).collect::<Vec<_>>(), ["-2.5E-7", "1e0", "4E+01"]);
    for cut in [r#"{"a"#, r#"{"a\"#, r#"{"a":"\u00e9"#, "", "-", "é"] {
        assert_eq!(of_json(cut).count(), 0, "{cut}");
    }
}

#[test]
fn a_number_gets_its_own_spelling_back_and_no_other() {
    let source = r#"{"a":1E3,"b":[{"c":10,"d":2.50e-07},"5e5"],"e":6e6}"#;
    let mut tree: Map<String, Value> = serde_json::from_str(source).unwrap();
    let spelled = Value::Object(tree.clone()).to_string();
    assert_eq!(spelled, source.replace("1E3", "1e+3").replace("6e6", "6e+6"));
    let mut skewed = tree.clone();
    restore(&mut tree, of_json(source));
    assert_eq!(Value::Object(tree).to_string(), source);
    // Out of step nothing is changed.
    restore(&mut skewed, of_json(source).skip(1));
    assert_eq!(Value::Object(skewed).to_string(), spelled);
}
