# version: mkdocs-material 9.8.2
# kind: folders
# Its search in a worker, instant loading, and a second language with a 404.html of its own.
python3 -m venv venv
venv/bin/pip install --quiet mkdocs==1.6.1 mkdocs-material==9.8.2
mkdir site
cd site
mkdir -p docs/guide
printf '%s\n' '# Home' '' 'See the [start](guide/start.md) and the [end](guide/end.md).' '' '!!! note' '    A note.' > docs/index.md
printf '%s\n' '# Start' '' '```py' 'print(1)' '```' '' 'To the [end](end.md), or [about](../about.md).' > docs/guide/start.md
printf '%s\n' '# End' '' '=== "A"' '    One tab.' '' '=== "B"' '    Another.' > docs/guide/end.md
printf '%s\n' '# About' '' 'About it. [Home](index.md)' > docs/about.md
cat > mkdocs.yml <<'END'
site_name: A guide
site_url: https://guide.example/
theme:
  name: material
  font: false
  features: [navigation.instant, navigation.tabs, search.suggest, content.code.copy]
  palette:
    - { scheme: default, toggle: { icon: material/weather-night, name: Dark } }
    - { scheme: slate, toggle: { icon: material/weather-sunny, name: Light } }
markdown_extensions: [admonition, pymdownx.superfences, { pymdownx.tabbed: { alternate_style: true } }, pymdownx.highlight]
END
sed -e 's/A guide/Ein Führer/; s,guide.example/,guide.example/de/,; s/name: material/name: material\n  language: de/' mkdocs.yml > de.yml
echo 'docs_dir: de' >> de.yml
mkdir de
printf '%s\n' '# Anfang' '' 'Siehe [das andere](anderes.md).' > de/index.md
printf '%s\n' '# Das andere' '' 'Grüße.' > de/anderes.md
build() {
  ../venv/bin/mkdocs build --quiet --site-dir "$1"
  ../venv/bin/mkdocs build --quiet --config-file de.yml --site-dir "$1/de"
}
build ../out
printf '%s\n' '' 'One more line.' >> docs/guide/end.md
build ../next
