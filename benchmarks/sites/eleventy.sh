# version: eleventy 3.1.8
# kind: folders
# Folders with an index.html each, a feed, and nothing that is hashed.
npm init --yes > /dev/null
npm install @11ty/eleventy@3.1.8
mkdir -p src/posts src/_includes
cat > eleventy.config.mjs <<'END'
export default function (config) {
  config.addPassthroughCopy("src/site.css");
  config.addPassthroughCopy("src/site.js");
  return { dir: { input: "src", output: "dist" } };
}
END
cat > src/_includes/page.njk <<'END'
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>{{ title }}</title>
  <link rel="stylesheet" href="/site.css">
  <script src="/site.js" defer></script>
</head>
<body>
  <nav><a href="/">Home</a> <a href="/about/">About</a>{% for post in collections.post %} <a href="{{ post.url }}">{{ post.data.title }}</a>{% endfor %}</nav>
  <h1>{{ title }}</h1>
  {{ content | safe }}
</body>
</html>
END
printf '%s\n' 'body { font-family: sans-serif; }' 'h1 { color: navy; }' > src/site.css
printf '%s\n' 'document.documentElement.dataset.script = "ran";' > src/site.js
printf '%s\n' --- 'layout: page.njk' 'title: Home' --- 'Welcome.' > src/index.md
printf '%s\n' --- 'layout: page.njk' 'title: About' --- 'About it.' > src/about.md
printf '%s\n' --- 'layout: page.njk' 'title: Not found' 'permalink: 404.html' --- 'Nothing is here.' > src/404.md
for post in one two three; do
  printf '%s\n' --- 'layout: page.njk' "title: Post $post" 'tags: post' --- "This is $post. [Home](../../)" > src/posts/$post.md
done
npx eleventy
mv dist out
echo 'And more.' >> src/posts/two.md
npx eleventy
mv dist next
