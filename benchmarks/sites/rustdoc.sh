# version: rustdoc (of the toolchain that builds this)
# kind: plain
# A small crate's documentation: a search index, source pages, and fonts that a script preloads.
mkdir -p crate/src
cd crate
printf '%s\n' '[package]' 'name = "small"' 'version = "0.1.0"' 'edition = "2024"' '[workspace]' > Cargo.toml
cat > src/lib.rs <<'END'
//! A small crate. See [`shapes::Circle`].

/// Shapes.
pub mod shapes {
    /// A round one.
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub struct Circle {
        /// From its middle.
        pub radius: f64,
    }

    /// What has an area.
    pub trait Area {
        /// How large it is.
        fn area(&self) -> f64;
    }

    impl Area for Circle {
        fn area(&self) -> f64 {
            self.radius * self.radius * std::f64::consts::PI
        }
    }
}

/// Says hello.
///
/// ```
/// assert_eq!(small::hello(), "hello");
/// ```
pub fn hello() -> &'static str {
    "hello"
}
END
build() {
  cargo doc --quiet --offline --target-dir target
  mv target/doc "$1"
  echo '<!DOCTYPE html><meta charset="utf-8"><title>small</title><link rel="icon" href="data:,"><a href="small/index.html">small</a>' > "$1/index.html"
}
build ../out
sed -i 's/Says hello\./Says hello, in another edition./' src/lib.rs
build ../next
