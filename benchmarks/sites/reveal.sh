# version: reveal.js 6.0.2
# kind: plain
# The package's own first page and demos.
npm pack --silent reveal.js@6.0.2
tar -xf reveal.js-6.0.2.tgz
mv package out
rm -f out/package.json
if [ ! -f out/index.html ]; then
  cat > out/index.html <<'END'
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>Slides</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="dist/reset.css">
  <link rel="stylesheet" href="dist/reveal.css">
  <link rel="stylesheet" href="dist/theme/black.css">
  <link rel="stylesheet" href="dist/plugin/highlight/monokai.css">
</head>
<body>
  <div class="reveal"><div class="slides">
    <section><h1>One</h1></section>
    <section data-markdown><textarea data-template>## Two</textarea></section>
    <section><pre><code class="js">console.log(3);</code></pre></section>
  </div></div>
  <script src="dist/reveal.js"></script>
  <script src="dist/plugin/markdown.js"></script>
  <script src="dist/plugin/highlight.js"></script>
  <script>Reveal.initialize({ transition: "none", plugins: [RevealMarkdown, RevealHighlight] });</script>
</body>
</html>
END
fi
cp -R out next
sed -i '0,/<section>/s//<section data-edition="next">/' next/index.html
