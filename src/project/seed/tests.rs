//! What is read as which item, and what is refused in which words.

use base64::Engine as _;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::project::number;

impl Seeds {
    /// The items of one table, by its index.
    pub(crate) fn of(&self, table: usize) -> &[Item] {
        let found = self.tables.iter().find(|(index, _)| *index == table);
        found.map_or(&[], |(_, items)| items)
    }
}

fn table(stack: &str, logical_id: &str, keys: &[(&str, KeyKind)]) -> SeedTable {
    SeedTable {
        stack: stack.to_owned(),
        logical_id: logical_id.to_owned(),
        keys: keys
            .iter()
            .map(|(name, kind)| KeyAttribute {
                name: (*name).to_owned(),
                kind: *kind,
            })
            .collect(),
    }
}

fn users() -> Vec<SeedTable> {
    vec![table("data", "Users", &[("id", KeyKind::Text)])]
}

fn shop() -> Vec<SeedTable> {
    vec![
        table("data", "Users", &[("id", KeyKind::Text)]),
        table(
            "data",
            "Orders",
            &[("customer", KeyKind::Text), ("at", KeyKind::Number)],
        ),
        table("files", "Blobs", &[("hash", KeyKind::Binary)]),
    ]
}

fn read_as(file: &str, text: &str, tables: &[SeedTable], table: Option<&str>) -> Result<Seeds> {
    parse(text, Path::new(file), tables, table)
}

fn items(text: &str) -> Vec<Item> {
    let seeds = read_as("seed.yaml", text, &users(), None).expect(text);
    seeds.of(0).to_vec()
}

/// The value of `x` in the only item.
fn x(value: &str) -> Attribute {
    items(&format!("- id: a\n  x: {value}\n"))[0].attributes["x"].clone()
}

fn error_of(text: &str, tables: &[SeedTable]) -> Error {
    read_as("seed.yaml", text, tables, None).expect_err(text)
}

fn problem(text: &str) -> String {
    error_of(text, &users()).to_string()
}

fn text(text: &str) -> Attribute {
    Attribute::Text(text.to_owned())
}

fn digits(digits: &str) -> Attribute {
    Attribute::Number(digits.to_owned())
}

#[test]
fn items_keep_their_types_and_digits() {
    let items = items(
        "- id: \"1\"\n  big: 12345678901234567890123456789012345678\n  price: 19.99\n  tags: [a, true, null]\n  in: { x: -5 }\n",
    );
    let attributes = &items[0].attributes;
    assert_eq!(items[0].key.to_string(), "id \"1\"");
    assert_eq!(attributes["big"], digits("12345678901234567890123456789012345678"));
    assert_eq!(attributes["price"], digits("19.99"));
    assert_eq!(
        attributes["tags"],
        Attribute::List(vec![text("a"), Attribute::Flag(true), Attribute::Null])
    );
    assert_eq!(
        attributes["in"],
        Attribute::Map(BTreeMap::from([("x".into(), digits("-5"))]))
    );
}

#[test]
fn plain_scalars_are_what_the_core_schema_says() {
    for word in [
        "yes",
        "No",
        "on",
        "off",
        "y",
        "1_000",
        "22:22",
        "2024-01-01",
        "0b1",
        "01234",
        "-007",
    ] {
        assert_eq!(x(word), text(word), "{word}");
    }
    for (number, wanted) in [
        ("0x1F", "31"),
        ("0o17", "15"),
        ("1e3", "1000"),
        ("+.50", "0.5"),
        ("0.0", "0"),
    ] {
        assert_eq!(x(number), digits(wanted), "{number}");
    }
    assert_eq!(x("TRUE"), Attribute::Flag(true));
    assert_eq!(x("~"), Attribute::Null);
    assert_eq!(x(""), Attribute::Null);
    assert_eq!(x("'true'"), text("true"));
}

#[test]
fn tags_say_the_type() {
    assert_eq!(x("!!str 7"), text("7"));
    assert_eq!(x("!!int \"007\""), digits("7"));
    assert_eq!(x("!!bool true"), Attribute::Flag(true));
    assert_eq!(x("!!null x"), Attribute::Null);
    assert_eq!(x("!!binary AAEC"), Attribute::Binary(vec![0, 1, 2]));
    assert_eq!(x("!!binary |\n    AA\n    EC\n"), Attribute::Binary(vec![0, 1, 2]));
    for (value, part) in [
        ("!!binary \"?\"", "seed.yaml:2:6: this isn't base64"),
        (
            "!!set {a, b}",
            "seed.yaml:2:6: a set (`!!set`) doesn't say whether it is of text or of numbers",
        ),
        ("!Ref a", "seed.yaml:2:6: `!Ref` means nothing in an item"),
        ("!!int seven", "seed.yaml:2:6: `seven` isn't what !!int says"),
        ("!!omap [a: b]", "seed.yaml:2:6: `!!omap` means nothing in an item"),
    ] {
        let error = problem(&format!("- id: a\n  x: {value}\n"));
        assert!(error.starts_with(part), "{error}");
    }
}

#[test]
fn numbers_are_exact_or_refused() {
    for exact in [
        "0.1000000000000000055511151231257827",
        "0.30000000000000000001",
        "1.00000000000000000001",
        "0.12345678901234567890123",
    ] {
        assert_eq!(x(exact), digits(exact));
    }
    for refused in [
        "1234567890123456789012345678901234567890123",
        "0.123456789012345678901234567890123456789",
        "1e300",
        "0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
    ] {
        let error = problem(&format!("- id: a\n  x: {refused}\n"));
        let start = format!("seed.yaml:2:6: DynamoDB can't store the number {refused}: it takes 38 digits");
        assert!(error.starts_with(&start), "{error}");
    }
    assert!(problem("- id: a\n  x: .inf\n").starts_with("seed.yaml:2:6: DynamoDB stores no .inf"));
}

proptest! {
    #[test]
    fn digits_survive_in_yaml_and_json(whole in "[1-9][0-9]{0,18}", fraction in "[0-9]{0,17}[1-9]") {
        let number = format!("{whole}.{fraction}");
        prop_assert_eq!(x(&number), digits(&number));
        let line = format!("{{\"id\":\"a\",\"x\":[{number}]}}");
        let seeds = read_as("more.jsonl", &line, &users(), None).expect("valid");
        let list = Attribute::List(vec![digits(&number)]);
        prop_assert_eq!(&seeds.of(0)[0].attributes["x"], &list);
    }
}

#[test]
fn bad_items_are_named_by_file_line_and_key() {
    assert_eq!(
        problem("- id: \"1\"\n- name: x\n"),
        "seed.yaml:2:3: the item has no `id`"
    );
    assert_eq!(
        problem("- id: a\n- id: b\n- id: a\n"),
        "seed.yaml:3:3: `id \"a\"` is there twice; line 1 has it, too"
    );
    assert_eq!(problem("- id: \"\"\n"), "seed.yaml:1:7: `id` is empty");
    assert_eq!(problem("- id:\n"), "seed.yaml:1:5: `id` is empty");
    assert_eq!(problem("- [1]\n"), "seed.yaml:1:3: an item is a map with `id`");
    assert_eq!(problem("- id: [1]\n"), "seed.yaml:1:7: `id` must be a string");
    assert_eq!(problem("- id: !!binary AA==\n"), "seed.yaml:1:7: `id` must be a string");
    assert_eq!(
        problem("- id: a\n  '': 1\n"),
        "seed.yaml:2:3: an attribute must have a name"
    );
    assert!(problem("id: a\n").contains("where a list of items is due"));
    assert!(problem("hello\n").contains("must be a list of items"));
    assert!(problem("- id: [\n").starts_with("seed.yaml:"));
}

#[test]
fn a_number_as_text_is_shown_as_it_is_written() {
    for written in [
        "7",
        "1e3",
        "1.10",
        "0x1F",
        "1e999",
        "true",
        ".inf",
        "123456789012345678901234567890123456789012",
    ] {
        let error = problem(&format!("- name: x\n  id: {written}\n"));
        let wanted = format!("seed.yaml:2:7: `id` must be a string; quote it: \"{written}\"");
        assert_eq!(error, wanted);
    }
}

#[test]
fn text_keys_have_dynamodbs_lengths() {
    let tables = [table("data", "T", &[("p", KeyKind::Text), ("s", KeyKind::Text)])];
    let item = |p: usize, s: usize| format!("- p: {}\n  s: {}\n", "ä".repeat(p / 2), "x".repeat(s));
    assert!(read_as("seed.yaml", &item(2048, 1024), &tables, None).is_ok());
    let error = error_of(&item(2050, 1), &tables).to_string();
    assert_eq!(error, "seed.yaml:1:6: `p` has 2050 bytes; 2048 is the most");
    let error = error_of(&item(2, 1025), &tables).to_string();
    assert_eq!(error, "seed.yaml:2:6: `s` has 1025 bytes; 1024 is the most");
    let error = error_of("- x: 1\n", &tables).to_string();
    assert_eq!(error, "seed.yaml:1:3: the item has no `p` and no `s`");
}

#[test]
fn what_dynamodb_would_refuse_is_refused_first() {
    let deep = format!("- id: a\n  x: {}1{}\n", "[".repeat(33), "]".repeat(33));
    let huge = format!("- id: a\n  x: {}\n", "y".repeat(LARGEST_ITEM_BYTES));
    for (text, part) in [
        ("- id: a\n  m: { b: 1, b: 2 }\n", "seed.yaml:2:14: `b` is there twice"),
        (deep.as_str(), "seed.yaml:1:3: `x` has 34 levels"),
        (huge.as_str(), "409600 is the most"),
    ] {
        let error = problem(text);
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn each_tables_items_are_checked_against_its_key() {
    let seeds = read_as(
        "seed.yaml",
        "files.Blobs:\n  - hash: !!binary AAEC\n  - { hash: AAED, size: 3 }\nOrders:\n  - { customer: c1, at: 1.50 }\n  - { customer: c1, at: 2 }\nUsers:\n",
        &shop(),
        None,
    )
    .expect("valid");
    let tables: Vec<usize> = seeds.tables.iter().map(|(index, _)| *index).collect();
    assert_eq!(tables, [1, 2], "in the order of the tables, and only those with items");
    assert_eq!(seeds.of(1)[0].key.to_string(), "customer \"c1\", at 1.5");
    assert_eq!(seeds.of(1)[0].attributes["at"], digits("1.5"));
    assert_eq!(seeds.of(2)[1].key.to_string(), "hash !!binary AAED");
    assert_eq!(seeds.of(0), []);

    for (text, wanted) in [
        ("Orders:\n  - customer: c\n", "seed.yaml:2:5: the item has no `at`"),
        (
            "Orders:\n  - { customer: c, at: 1.5 }\n  - { at: 1.50, customer: c }\n",
            "seed.yaml:3:5: `customer \"c\", at 1.5` is there twice; line 2 has it, too",
        ),
        (
            "Orders:\n  - { customer: c, at: \"07\" }\n",
            "seed.yaml:2:24: `at` must be a number; write it without quotes: 7",
        ),
        (
            "Orders:\n  - { customer: c, at: soon }\n",
            "seed.yaml:2:24: `at` must be a number",
        ),
        ("Blobs:\n  - hash: ''\n", "seed.yaml:2:11: `hash` is empty"),
        (
            "Blobs:\n  - hash: [1]\n",
            "seed.yaml:2:11: `hash` must be bytes in base64",
        ),
        ("Users: 7\n", "seed.yaml:1:8: `Users` takes a list of items"),
        (
            "Users: []\ndata.Users: []\n",
            "seed.yaml:2:1: the table `data.Users` is there twice, by another name",
        ),
    ] {
        assert_eq!(error_of(text, &shop()).to_string(), wanted);
    }
    let error = error_of("Blobs:\n  - hash: '?'\n", &shop()).to_string();
    assert!(error.starts_with("seed.yaml:2:11: this isn't base64"), "{error}");
}

#[test]
fn tables_are_known_by_their_names() {
    let error = error_of("Users: []\nOrder: []\n", &shop());
    assert_eq!(error.to_string(), "seed.yaml:2:1: there is no table `Order`");
    assert_eq!(error.next_step(), Some("Did you mean `Orders`?"));
    let error = error_of("Quite different: []\n", &shop());
    assert_eq!(error.next_step(), Some("The tables are Users, Orders, Blobs."));

    let twins = [
        table("a", "Items", &[("id", KeyKind::Text)]),
        table("b", "Items", &[("id", KeyKind::Text)]),
    ];
    let error = error_of("Items: []\n", &twins);
    assert_eq!(error.to_string(), "seed.yaml:1:1: several stacks have a table `Items`");
    assert_eq!(error.next_step(), Some("Say which: `a.Items` or `b.Items`."));
    let seeds = read_as("seed.yaml", "b.Items: [{id: x}]\n", &twins, None).expect("valid");
    assert_eq!(seeds.of(1).len(), 1);
    let alone = read_as("seed.yaml", "Users: [{id: x}]\n", &users(), None).expect("a map for one table, too");
    assert_eq!(alone.of(0).len(), 1);
}

#[test]
fn a_list_beside_several_tables_shows_the_new_shape() {
    let error = error_of("# old\n- name: a\n", &shop());
    assert_eq!(
        error.to_string(),
        "seed.yaml:2:1: a list of items doesn't say which of the 3 tables they are for"
    );
    assert_eq!(
        error.next_step(),
        Some(
            "Put each table's items below its name:\nUsers:\n  - id: …\nOrders:\n  - customer: …\n    at: …\nBlobs:\n  - hash: …"
        )
    );
    let seeds = read_as("seed.yaml", "- id: a\n", &shop(), Some("Users")).expect("said by --table");
    assert_eq!(seeds.of(0).len(), 1);
    // Only one of them has such a key.
    for (file, text) in [
        ("seed.yaml", "- id: a\n"),
        ("seed.jsonl", "{\"id\": \"a\"}\n"),
        ("seed.jsonl", "{\"Item\": {\"id\": {\"S\": \"a\"}}}\n"),
    ] {
        let seeds = read_as(file, text, &shop(), None).expect("told by its key");
        assert_eq!(seeds.of(0).len(), 1, "{text}");
    }
    let twins = [
        table("a", "One", &[("id", KeyKind::Text)]),
        table("a", "Other", &[("id", KeyKind::Text)]),
    ];
    let error = error_of("- id: a\n", &twins).to_string();
    assert!(error.ends_with("which of the 2 tables they are for"), "{error}");
    let chosen = read_as(
        "seed.yaml",
        "Users: [{id: a}]\nBlobs: [{hash: AA==}]\n",
        &shop(),
        Some("Blobs"),
    );
    assert_eq!(chosen.expect("one of two").tables.len(), 1);
    let error = read_as("seed.yaml", "- id: a\n", &shop(), Some("User")).expect_err("unknown");
    assert_eq!(error.to_string(), "--table: there is no table `User`");
    assert_eq!(error.next_step(), Some("Did you mean `Users`?"));
}

#[test]
fn items_need_a_table() {
    for text in ["- id: a\n", "Users:\n  - id: a\n"] {
        let error = error_of(text, &[]).to_string();
        assert_eq!(error, "seed.yaml:1:1: there are items, and no table to put them into");
    }
    for text in ["", "[]", "{}", "# none\n"] {
        assert_eq!(read_as("seed.yaml", text, &[], None).expect("none"), Seeds::default());
    }
}

#[test]
fn json_lines_keep_every_digit_and_say_their_place() {
    let seeds = read_as(
        "more.jsonl",
        "\u{feff}{\"id\":\"a\",\"n\":0.1234567890123456789012345678901234}\r\n\r\n{\"id\":\"\\ud83d\\ude00\"}\r\n",
        &users(),
        None,
    )
    .expect("valid");
    assert_eq!(
        seeds.of(0)[0].attributes["n"],
        digits("0.1234567890123456789012345678901234")
    );
    assert_eq!(seeds.of(0)[1].key.to_string(), "id \"😀\"");

    let line = |file: &str, text: &str| read_as(file, text, &users(), None).expect_err(text).to_string();
    assert_eq!(
        line("more.ndjson", "{\"id\":\"a\"}\n{\"name\":\"x\"}\n"),
        "more.ndjson:2:1: the item has no `id`"
    );
    assert_eq!(
        line("more.JSONL", "{\"id\":\"a\"}\n{\"x\":1,\"id\":\"a\"}\n"),
        "more.JSONL:2:1: `id \"a\"` is there twice; line 1 has it, too"
    );
    assert_eq!(
        line("more.jsonl", "{\"id\":1.10}\n"),
        "more.jsonl:1:7: `id` must be a string; quote it: \"1.10\""
    );
    let error = read_as("more.jsonl", "{\"x\":\"a\"}\n", &shop(), None).expect_err("which table?");
    assert_eq!(
        error.to_string(),
        "more.jsonl:1:1: these items don't say which table they are for"
    );
    assert_eq!(
        error.next_step(),
        Some("Say it with --table: Users or Orders or Blobs.")
    );
    let seeds = read_as("more.jsonl", "{\"hash\":\"AAEC\"}\n", &shop(), Some("files.Blobs")).expect("valid");
    assert_eq!(seeds.of(2)[0].attributes["hash"], Attribute::Binary(vec![0, 1, 2]));

    let number = |n: &str| read_as("x.jsonl", &format!("{{\"id\":\"a\",\"n\":{n}}}"), &users(), None);
    assert!(number(&"1".repeat(39)).is_err());
    assert!(number(&"1".repeat(38)).is_ok());
    assert!(number("1e126").is_err());
    assert!(number("-9.9e125").is_ok());
    assert!(number("0.000").is_ok());
}

#[test]
fn a_file_of_json_is_read_as_json() {
    let text = "[\n  {\"id\": \"\\ud83d\\ude00\"},\n  {\"id\": 7}\n]";
    let error = read_as("items.json", text, &users(), None).expect_err("a number");
    assert_eq!(
        error.to_string(),
        "items.json:3:10: `id` must be a string; quote it: \"7\""
    );
}

/// One item of a line of JSON.
fn line(text: &str) -> Result<Item> {
    let seeds = read_as("x.jsonl", text, &users(), None)?;
    Ok(seeds.of(0)[0].clone())
}

#[test]
fn dynamodbs_own_json_is_read_with_every_type() {
    let item = line(
        r#"{"Item":{"id":{"S":"a"},"e":{"S":""},"n":{"N":"-0.12345678901234567890123456789012345678"},
        "b":{"B":"AAEC"},"f":{"BOOL":false},"z":{"NULL":true},"l":{"L":[{"N":"1"},{"L":[]}]},"m":{"M":{"S":{"S":"x"}}},
        "ss":{"SS":["b","","a"]},"ns":{"NS":["1e3","2.50"]},"bs":{"BS":["AA==",""]}}}"#
            .replace('\n', "")
            .as_str(),
    )
    .expect("valid");
    let set = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let wanted = [
        ("id", text("a")),
        ("e", text("")),
        ("n", digits("-0.12345678901234567890123456789012345678")),
        ("b", Attribute::Binary(vec![0, 1, 2])),
        ("f", Attribute::Flag(false)),
        ("z", Attribute::Null),
        ("l", Attribute::List(vec![digits("1"), Attribute::List(Vec::new())])),
        ("m", Attribute::Map(BTreeMap::from([("S".to_owned(), text("x"))]))),
        ("ss", Attribute::TextSet(set(&["", "a", "b"]))),
        ("ns", Attribute::NumberSet(set(&["1000", "2.5"]))),
        ("bs", Attribute::BinarySet([vec![], vec![0]].into())),
    ];
    assert_eq!(
        item.attributes,
        wanted.map(|(name, value)| (name.to_owned(), value)).into()
    );

    let yaml = items(
        "- Item:\n    id: { S: a }\n    n: { N: 1.50 }\n    tags: { SS: [x, \"7\"] }\n    raw: { B: !!binary AAEC }\n- id: b\n",
    );
    assert_eq!(yaml[0].attributes["n"], digits("1.5"));
    assert_eq!(yaml[0].attributes["tags"], Attribute::TextSet(set(&["7", "x"])));
    assert_eq!(yaml[0].attributes["raw"], Attribute::Binary(vec![0, 1, 2]));
    assert_eq!(yaml.len(), 2, "beside items of plain values");
    assert_eq!(items("- id: a\n  size: {S: 3}\n").len(), 1, "a map like any other");
}

#[test]
fn what_writes_and_incremental_exports_have_is_told_apart() {
    let text = r#"{"Users": [{"PutRequest": {"Item": {"id": {"S": "a"}, "tags": {"SS": ["x"]}}}}]}"#;
    let seeds = read_as("request.json", text, &users(), None).expect("a request to write");
    assert!(matches!(seeds.of(0)[0].attributes["tags"], Attribute::TextSet(_)));
    let change = r#"{"Metadata":{},"Keys":{"id":{"S":"a"}},"NewImage":{"id":{"S":"a"}}}"#;
    let error = line(change).expect_err("no item").to_string();
    assert_eq!(
        error,
        "x.jsonl:1:1: this is a change out of an incremental export, and no item"
    );
}

#[test]
fn a_request_to_delete_is_none_to_seed() {
    let error = error_of("Users:\n- DeleteRequest: {Key: {id: {S: a}}}\n", &shop()).to_string();
    assert_eq!(
        error,
        "seed.yaml:2:3: this asks to delete an item, and seeding only adds some"
    );
}

#[test]
fn of_several_that_are_there_twice_the_first_is_named() {
    let error = problem("- id: z\n- id: b\n- id: a\n- id: b\n- id: a\n- id: b\n");
    assert_eq!(error, "seed.yaml:4:3: `id \"b\"` is there twice; line 2 has it, too");
}

#[test]
fn what_a_scan_prints_is_read() {
    let scan = r#"{"Items": [{"id": {"S": "a"}, "n": {"N": "1"}}, {"id": {"S": "b"}}], "Count": 2, "ScannedCount": 2, "ConsumedCapacity": null}"#;
    for file in ["scan.json", "scan.yaml"] {
        let seeds = read_as(file, scan, &users(), None).expect("valid");
        assert_eq!(seeds.of(0).len(), 2);
        assert_eq!(seeds.of(0)[0].attributes["n"], digits("1"));
    }
    let seeds = read_as("scan.json", scan, &shop(), None).expect("told by its key");
    assert_eq!(seeds.of(0).len(), 2);
    let unknown = scan.replace("\"id\"", "\"nobodys\"");
    let error = read_as("scan.json", &unknown, &shop(), None).expect_err("which table?");
    assert_eq!(
        error.to_string(),
        "scan.json:1:1: what a scan prints doesn't say which table it is for"
    );
    assert_eq!(
        error.next_step(),
        Some("Say it with --table: Users or Orders or Blobs.")
    );
    let seeds = read_as("scan.json", scan, &shop(), Some("Users")).expect("said");
    assert_eq!(seeds.of(0).len(), 2);
    let plain = r#"{"Items": [{"id": "a"}], "Count": 1}"#;
    let error = read_as("scan.json", plain, &users(), None).expect_err("no types");
    assert_eq!(error.to_string(), "scan.json:1:19: `id` must say its type here");
    let none = read_as("scan.json", r#"{"Items": [], "Count": 0}"#, &users(), None);
    assert_eq!(none.expect("no items"), Seeds::default());

    let named = [table("data", "Items", &[("id", KeyKind::Text)])];
    let seeds = read_as("seed.yaml", "Items: [{ id: a }]", &named, None).expect("a table of that name");
    assert_eq!(seeds.of(0)[0].key.to_string(), "id \"a\"");
    let seeds = read_as("scan.json", scan, &named, None).expect("a scan of it");
    assert_eq!(seeds.of(0).len(), 2);
}

#[test]
fn dynamodbs_own_json_is_refused_where_it_is_wrong() {
    for (value, wanted) in [
        (r#"{"SS":[]}"#, "x.jsonl:1:35: DynamoDB stores no empty set"),
        (r#"{"SS":["a","a"]}"#, "x.jsonl:1:40: `a` is in the set twice"),
        (r#"{"NS":["1","1.0"]}"#, "x.jsonl:1:40: `1.0` is in the set twice"),
        (
            r#"{"NS":["1","a"]}"#,
            "x.jsonl:1:40: NS takes a decimal number in quotes; `a` is none",
        ),
        (r#"{"SS":["a",1]}"#, "x.jsonl:1:40: SS takes text; quote it: \"1\""),
        (r#"{"SS":["a",["b"]]}"#, "x.jsonl:1:40: SS takes text"),
        (r#"{"SS":"a"}"#, "x.jsonl:1:35: SS takes a list"),
        (r#"{"S":1}"#, "x.jsonl:1:34: S takes text; quote it: \"1\""),
        (r#"{"S":null}"#, "x.jsonl:1:34: S takes text; quote it: \"null\""),
        (
            r#"{"N":"0x1F"}"#,
            "x.jsonl:1:34: N takes a decimal number in quotes; `0x1F` is none",
        ),
        (
            r#"{"N":""}"#,
            "x.jsonl:1:34: N takes a decimal number in quotes; `` is none",
        ),
        (
            r#"{"N":true}"#,
            "x.jsonl:1:34: N takes a decimal number in quotes; `true` is none",
        ),
        (r#"{"B":true}"#, "x.jsonl:1:34: B takes bytes in base64, in quotes"),
        (
            r#"{"BOOL":"true"}"#,
            "x.jsonl:1:37: BOOL takes true or false, without quotes",
        ),
        (
            r#"{"NULL":false}"#,
            "x.jsonl:1:37: NULL takes true, without quotes, and nothing else",
        ),
        (
            r#"{"M":[]}"#,
            "x.jsonl:1:34: M takes a map of names and values with their types",
        ),
        (r#"{"L":["a"]}"#, "x.jsonl:1:35: `x` must say its type here"),
        (r#"{"X":"a"}"#, "x.jsonl:1:30: DynamoDB has no type `X`"),
        (r#""a""#, "x.jsonl:1:29: `x` must say its type here"),
        (r#"{"S":"a","N":"1"}"#, "x.jsonl:1:29: `x` must say its type here"),
    ] {
        let error = line(&format!(r#"{{"Item":{{"id":{{"S":"a"}},"x":{value}}}}}"#)).expect_err(value);
        assert_eq!(error.to_string(), wanted);
        assert!(error.next_step().is_some(), "{wanted}");
    }
    for (text, wanted) in [
        (
            r#"{"Item":{"id":{"N":"1"}}}"#,
            "x.jsonl:1:15: `id` must be of the type S; it is of N",
        ),
        (r#"{"Item":{"id":{"S":""}}}"#, "x.jsonl:1:15: `id` is empty"),
        (r#"{"Item":{"x":{"S":"a"}}}"#, "x.jsonl:1:9: the item has no `id`"),
        (r#"{"Item":{"id":"a"}}"#, "x.jsonl:1:15: `id` must say its type here"),
        (
            r#"{"id":{"S":"a"},"n":{"N":"1"}}"#,
            "x.jsonl:1:1: this is DynamoDB JSON, whose items are each in an `Item`",
        ),
    ] {
        assert_eq!(line(text).expect_err(text).to_string(), wanted);
    }
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>: 32 levels, of which the attribute
/// itself is the first.
#[test]
fn an_attribute_has_as_many_levels_as_dynamodb_counts() {
    let nested =
        |lists: usize, inner: &str| format!("- id: a\n  x: {}{inner}{}\n", "[".repeat(lists), "]".repeat(lists));
    assert_eq!(items(&nested(31, "1")).len(), 1);
    assert_eq!(items(&nested(32, "")).len(), 1);
    let error = problem(&nested(32, "1"));
    assert!(
        error.starts_with("seed.yaml:1:3: `x` has 33 levels; DynamoDB stores 32"),
        "{error}"
    );
    let maps = format!("- id: a\n  x: {}1{}\n", "{a: ".repeat(32), "}".repeat(32));
    assert!(problem(&maps).contains("`x` has 33 levels"));
}

#[test]
fn what_is_no_file_of_items_is_named_by_its_ending() {
    for (file, hint) in [
        ("users.csv", "Make a line of JSON of each row"),
        ("users.TSV", "Make a line of JSON of each row"),
        ("export.json.gz", "Unpack it first."),
        ("data.ion", "Export the table as DynamoDB JSON instead."),
        ("users.txt", "If it is one of these, give it that ending."),
    ] {
        let error = read_as(file, "id,name\n1,Ada\n", &users(), None).expect_err(file);
        let wanted =
            format!("{file}: items are read from YAML (.yaml, .yml), JSON (.json) and JSON lines (.jsonl, .ndjson)");
        assert_eq!(error.to_string(), wanted);
        assert!(
            error.next_step().is_some_and(|step| step.starts_with(hint)),
            "{error:?}"
        );
    }
    let piped = read_as("/dev/fd/63", "- id: a\n", &users(), None).expect("a pipe has no ending");
    assert_eq!(piped.of(0).len(), 1);
}

#[test]
fn lines_in_a_file_of_json_are_recognised() {
    let error = read_as("x.json", "{\"id\":\"a\"}\n{\"id\":\"b\"}\n", &users(), None).expect_err("two");
    assert_eq!(error.to_string(), "x.json:2:1: there is more after the end of the JSON");
    let next_steps = error.next_steps().join(" ");
    assert!(next_steps.contains("a name that ends in .jsonl"), "{next_steps}");
}

#[test]
fn what_only_happens_to_be_base64_is_no_key() {
    let tables = [table("data", "T", &[("hash", KeyKind::Binary)])];
    for word in ["true", "1234"] {
        let error = error_of(&format!("- hash: {word}\n"), &tables).to_string();
        assert_eq!(
            error,
            format!("seed.yaml:1:9: `hash` must be bytes in base64; quote it: \"{word}\"")
        );
    }
}

#[test]
fn merge_keys_are_merged() {
    let items = items("- &base\n  id: a\n  role: admin\n  address: {city: Arlington}\n- <<: *base\n  id: b\n");
    assert_eq!(items[1].attributes["role"], text("admin"));
    assert_eq!(items[1].attributes["id"], text("b"));
    assert!(items[1].attributes.contains_key("address"));
    assert!(!items[1].attributes.contains_key("<<"));
}

#[test]
fn windows_files_are_read_as_others() {
    let items = items("\u{feff}- id: a\r\n  x: b\r\n");
    assert_eq!(items[0].attributes["x"], text("b"));
}

#[test]
fn no_items_are_no_error() {
    for text in ["", "# nothing yet\n", "[]", "Users:\n", "{}"] {
        assert_eq!(items(text), [], "{text:?}");
    }
}

/// What JSON writes of a value of one of DynamoDB's types.
fn typed_json(value: &Attribute) -> serde_json::Value {
    let bytes = |bytes: &Vec<u8>| base64::engine::general_purpose::STANDARD.encode(bytes);
    match value {
        Attribute::Text(text) => json!({ "S": text }),
        Attribute::Number(digits) => json!({ "N": digits }),
        Attribute::Binary(value) => json!({ "B": bytes(value) }),
        Attribute::Flag(flag) => json!({ "BOOL": flag }),
        Attribute::Null => json!({ "NULL": true }),
        Attribute::List(items) => json!({ "L": items.iter().map(typed_json).collect::<Vec<_>>() }),
        Attribute::Map(named) => json!({ "M": typed_attributes(named) }),
        Attribute::TextSet(texts) => json!({ "SS": texts }),
        Attribute::NumberSet(numbers) => json!({ "NS": numbers }),
        Attribute::BinarySet(values) => json!({ "BS": values.iter().map(bytes).collect::<Vec<_>>() }),
    }
}

fn typed_attributes(named: &BTreeMap<String, Attribute>) -> serde_json::Value {
    named
        .iter()
        .map(|(name, value)| (name.clone(), typed_json(value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Any number that DynamoDB stores, as it gives it back.
fn any_number() -> impl Strategy<Value = String> {
    let digits = "-?[1-9][0-9]{0,37}";
    let written = (digits, -130_i32..=88).prop_map(|(digits, exponent)| format!("{digits}e{exponent}"));
    written.prop_filter_map("DynamoDB stores it", |written| number::canonical(&written))
}

fn any_value() -> impl Strategy<Value = Attribute> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..9);
    let leaf = prop_oneof![
        any::<String>().prop_map(Attribute::Text),
        any_number().prop_map(Attribute::Number),
        bytes().prop_map(Attribute::Binary),
        any::<bool>().prop_map(Attribute::Flag),
        Just(Attribute::Null),
        prop::collection::btree_set(any::<String>(), 1..4).prop_map(Attribute::TextSet),
        prop::collection::btree_set(any_number(), 1..4).prop_map(Attribute::NumberSet),
        prop::collection::btree_set(bytes(), 1..4).prop_map(Attribute::BinarySet),
    ];
    leaf.prop_recursive(6, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Attribute::List),
            prop::collection::btree_map(any::<String>(), inner, 0..4).prop_map(Attribute::Map),
        ]
    })
}

/// Any item that DynamoDB stores in a table whose key is the text `id`.
pub(crate) fn any_attributes() -> impl Strategy<Value = BTreeMap<String, Attribute>> {
    let others = prop::collection::btree_map("\\PC{1,8}", any_value(), 0..5);
    (any::<String>(), others).prop_map(|(id, mut attributes)| {
        attributes.insert("id".to_owned(), Attribute::Text(format!("#{id}")));
        attributes
    })
}

/// The value in plain JSON, of those that it can say.
fn plain_json(value: &Attribute) -> Option<String> {
    let text = |text: &String| serde_json::to_string(text).ok();
    Some(match value {
        Attribute::Text(value) => text(value)?,
        Attribute::Number(digits) => digits.clone(),
        Attribute::Flag(flag) => flag.to_string(),
        Attribute::Null => "null".to_owned(),
        Attribute::List(items) => format!(
            "[{}]",
            items.iter().map(plain_json).collect::<Option<Vec<_>>>()?.join(",")
        ),
        Attribute::Map(named) => {
            let entries = named
                .iter()
                .map(|(name, value)| Some(format!("{}:{}", text(name)?, plain_json(value)?)));
            format!("{{{}}}", entries.collect::<Option<Vec<_>>>()?.join(","))
        }
        _ => return None,
    })
}

proptest! {
    /// JSON lines and JSON read each character as it is; so does YAML, where JSON's escapes mean the same.
    #[test]
    fn any_item_survives_in_dynamodbs_json(attributes in any_attributes()) {
        let text = json!({ "Item": typed_attributes(&attributes) }).to_string();
        let read = line(&text).expect("valid");
        prop_assert_eq!(&read.attributes, &attributes);
        let scan = json!({ "Items": [typed_attributes(&attributes)], "Count": 1 }).to_string();
        let read = read_as("scan.json", &scan, &users(), None).expect("valid");
        prop_assert_eq!(&read.of(0)[0].attributes, &attributes);
    }

    #[test]
    fn any_item_that_plain_json_can_say_survives(attributes in any_attributes()) {
        let plain: BTreeMap<_, _> = attributes.into_iter().filter(|(_, value)| plain_json(value).is_some()).collect();
        let text = plain_json(&Attribute::Map(plain.clone())).expect("filtered");
        let read = line(&text).expect("valid");
        prop_assert_eq!(&read.attributes, &plain);
    }
}
